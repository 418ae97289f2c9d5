"""Family `model`: what the config says of the base model, against what its files say."""

from collections.abc import Iterator

from peft_daemon.language.context import CheckContext, FileFact
from peft_daemon.language.rules.data import alternatives
from peft_daemon.language.rules.places import value_place
from peft_daemon.language.rules.registry import Rule, rule
from peft_daemon.language.rules.subject import Subject
from peft_daemon.language.rules.values import shorten
from peft_engine.facts import ModelFact, TemplateFact
from peft_engine.models.native import is_native
from peft_schemas.findings import Finding

_FAMILY = "model"
_BASE = "version: 1\nmodel:\n  base: gpt2\ndatasets:\n  - path: org/data\n"
_CHAT = "version: 1\nmodel:\n  base: org/base\n  chat_template: chat.jinja\ndatasets:\n  - path: org/data\n"
_CONVERSATIONS = ("messages", "sharegpt", "alpaca", "prompt-completion")
"""The formats whose records are written as turns: all but plain text."""


@rule(
    "PW701",
    "error",
    _FAMILY,
    "The base model's file or folder does not exist.",
    why="The run would fail when it loads the model.",
    advice="Correct the path, which counts from the folder of the config file, or write the id of a hub model.",
    example="version: 1\nmodel:\n  base: ./models/absent\ndatasets:\n  - path: org/data\n",
    known=CheckContext(files={"./models/absent": FileFact("missing")}),
)
def missing_model(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find local base models that are not there."""
    base = subject.setting("model.base")
    bound = None if base is None else base.bound
    fact = None if base is None else subject.context.files.get(base.value)
    if base is not None and bound is not None and fact is not None and fact.state == "missing":
        message = f"There is no file or folder `{shorten(base.value, 80)}`."
        range_, related = value_place(subject.document, bound.entry.value, bound.via)
        yield this.at(message, range_, related=related, fixes=alternatives(subject, bound, base.value, fact))


@rule(
    "PW702",
    "warning",
    _FAMILY,
    "Examples are longer than the base can attend to.",
    why="Beyond its context length a model has never seen positions, and what it computes there is noise.",
    advice="Lower `max_length` to the context length.",
    example="# The context of this base is 1024 tokens long.\n" + _BASE + "training:\n  max_length: 4096\n",
    known=CheckContext(model=ModelFact("gpt2", context_length=1024)),
    source="Transformers issue 1791; LLaMA-Factory model/model_utils/rope.py",
)
def beyond_context(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find a `max_length` above the base's context length."""
    model, max_length = subject.context.model, subject.setting("training.max_length")
    if model is None or model.context_length is None or max_length is None:
        return
    if max_length.value > model.context_length:
        message = f"{model.name} attends to {model.context_length} tokens; `max_length` is {max_length.value}."
        yield this.about(subject, message, max_length, fixes=subject.set(max_length.path, model.context_length))


@rule(
    "PW703",
    "error",
    _FAMILY,
    "The chat template writes special tokens that the base does not have.",
    why="Unknown to the tokenizer, they fall into pieces that no reader takes for the end of a turn: "
    "the model never stops.",
    advice="Take the template of the base's own family, or leave `chat_template` out for the model's own.",
    example="# chat.jinja writes <|eot_id|>, which this base's tokenizer lacks.\n" + _CHAT,
    known=CheckContext(
        model=ModelFact("org/base", tokens=frozenset({"<|im_end|>"})),
        template=TemplateFact(special_tokens=frozenset({"<|eot_id|>"})),
    ),
    source="LLaMA-Factory issues 2509, 5145 and 6736, pull request 10777",
)
def foreign_template(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find chat templates with special tokens outside the tokenizer's."""
    model, template = subject.context.model, subject.context.template
    setting = subject.setting("model.chat_template")
    if setting is None or setting.value is None or model is None or model.tokens is None or template is None:
        return
    lacking = sorted(template.special_tokens - model.tokens)
    if lacking:
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        message = (
            f"The template writes `{shorten(lacking[0])}`{more}, which the tokenizer of {model.name} does not have."
        )
        fixes = subject.remove(setting.path) if model.has_chat_template else []
        yield this.about(subject, message, setting, fixes=fixes)


@rule(
    "PW704",
    "error",
    _FAMILY,
    "The chat template's file does not exist or is no template.",
    why="No conversation could be written, so the run would fail before its first step.",
    advice="Correct the path, which counts from the folder of the config file, or the template.",
    example="# There is no file chat.jinja.\n" + _CHAT,
    known=CheckContext(files={"chat.jinja": FileFact("missing")}),
    source="Transformers docs, chat templates",
)
def unusable_template(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find chat templates that are missing, or that Jinja cannot read."""
    setting = subject.setting("model.chat_template")
    if setting is None or not isinstance(setting.value, str) or setting.bound is None:
        return
    file, template = subject.context.files.get(setting.value), subject.context.template
    if file is not None and file.state in ("missing", "folder", "unreadable"):
        message = f"There is no template `{shorten(setting.value, 80)}` that can be opened."
        fixes = alternatives(subject, setting.bound, setting.value, file)
        yield this.about(subject, message, setting, fixes=fixes)
    elif template is not None and template.problem is not None:
        yield this.about(subject, " ".join(template.problem.split()), setting)


@rule(
    "PW705",
    "error",
    _FAMILY,
    "The data are prompts and answers, and the base cannot write them as turns.",
    why="Prompts and answers are turns, too. Only a chat template says how turns become text, and this base has none.",
    advice="Write the path of a template under `model.chat_template`, or take the instruction-tuned "
    "variant of the base.",
    example="# This base has no chat template.\n" + _BASE + "    format: messages\n",
    known=CheckContext(model=ModelFact("gpt2", has_chat_template=False)),
    source="Transformers docs, chat templates; TRL docs, SFT with chat templates",
)
def no_template(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find conversations for a base without a chat template."""
    model, template = subject.context.model, subject.setting("model.chat_template")
    if model is None or model.has_chat_template is not False or template is None or template.value is not None:
        return
    base = subject.setting("model.base")
    for entry in subject.all_entries():
        if base is not None and entry.format(subject.context) in _CONVERSATIONS:
            shown = shorten(str(entry.path))
            message = f"{model.name} has no chat template, and `{shown}` holds prompts and answers."
            yield this.about(subject, message, base)
            return


@rule(
    "PW706",
    "warning",
    _FAMILY,
    "A base that never saw conversations gets a template whose tokens it cannot learn.",
    why="The template's special tokens are in the tokenizer, but the base never used them; while embeddings and head "
    "stay frozen it cannot learn to write the one that ends a turn.",
    advice="Train `embed_tokens` and `lm_head` as well, under `modules_to_save`, or take the "
    "instruction-tuned variant.",
    example="# This base has no chat template of its own; chat.jinja writes <|im_end|>.\n" + _CHAT,
    known=CheckContext(
        model=ModelFact(
            "org/base",
            has_chat_template=False,
            tokens=frozenset({"<|im_end|>"}),
        ),
        template=TemplateFact(special_tokens=frozenset({"<|im_end|>"})),
    ),
    source="LLaMA-Factory issues 3813 and 5145; PEFT issue 2898; LLaMA-Factory issue 7997",
)
def untrained_tokens(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find templates with special tokens for a base without a template, whose embeddings stay frozen."""
    model, template = subject.context.model, subject.context.template
    found = subject.settings("model.chat_template", "method.modules_to_save", "method.type")
    if found is None or found[0].value is None or model is None or template is None or found[2].value == "full":
        return
    tokens = template.special_tokens & (model.tokens or frozenset())
    learns = any(name in found[1].value for name in ("embed_tokens", "lm_head"))
    if model.has_chat_template is not False or not tokens or learns:
        return
    message = (
        f"{model.name} never learned `{shorten(min(tokens))}`, which the template writes, and "
        "its embeddings stay frozen."
    )
    # No fix writes `modules_to_save`: whether the adapter may then do without a GGUF form is the user's to say (PW904).
    yield this.about(subject, message, found[0], found[2])


@rule(
    "PW707",
    "error",
    _FAMILY,
    "The base runs only with code of its own, which is not allowed.",
    why="Transformers does not know this architecture and stops when it is asked to load the model.",
    advice="Read the model's code; if you trust it, set `trust_remote_code: true` and pin `revision`.",
    example="# This base brings its own code.\n" + _BASE.replace("gpt2", "org/own-code"),
    known=CheckContext(model=ModelFact("org/own-code", model_type="own_code", has_remote_code=True)),
    source="Transformers docs, custom models",
)
def remote_code_needed(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find bases with code of their own, of an architecture that Transformers lacks, that may not run it."""
    model, trust = subject.context.model, subject.setting("model.trust_remote_code")
    if model is None or not model.has_remote_code or trust is None or trust.value:
        return
    base = subject.setting("model.base")
    if base is None or model.model_type is None or is_native(model.model_type):
        return
    message = f"{model.name} needs its own code to run, and `trust_remote_code` is off."
    yield this.about(subject, message, trust if trust.is_written else base, base)
