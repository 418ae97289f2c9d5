"""Family `method`, part 2: which modules of the base are trained, against those that it has."""

import re
from collections.abc import Iterator
from functools import lru_cache

from peft_daemon.language.context import CheckContext
from peft_daemon.language.rules.patterns import fault_of, matches_any
from peft_daemon.language.rules.places import value_place
from peft_daemon.language.rules.registry import Rule, replace, rule
from peft_daemon.language.rules.subject import Setting, Subject
from peft_daemon.language.rules.values import nearest, shorten, written
from peft_engine.bounds import bounds
from peft_engine.config.nodes import Alias, Node, Scalar, Sequence, target
from peft_engine.facts import ModelFact
from peft_schemas.findings import Finding, Fix

_FAMILY = "method"
_NAMES = re.compile(r"\s*[\w.]+(?:\s*,\s*[\w.]+)+\s*")
"""What can only be a list that lacks its brackets."""

_BASE = "version: 1\nmodel:\n  base: gpt2\ndatasets:\n  - path: org/data\n"
_LLAMA = CheckContext(
    model=ModelFact(
        "org/llama",
        modules=("model.embed_tokens", "model.layers.0.self_attn.q_proj", "model.layers.0.mlp.up_proj", "lm_head"),
    )
)
_LLAMA_BASE = "# The modules of this base are called q_proj, up_proj, and so on.\n" + _BASE.replace("gpt2", "org/llama")


@rule(
    "PW310",
    "error",
    _FAMILY,
    "The expression that names the target modules is not a regular expression.",
    why="PEFT compiles the expression when the adapter is made, after the base is loaded, and fails there.",
    advice="Correct the expression, or write a list of module names.",
    example=_BASE + 'method:\n  target_modules: "(q_proj|v_proj"\n',
    source="PEFT docs, LoraConfig.target_modules; Axolotl schemas/config.py",
    judges="part",
)
def bad_target_expression(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find texts under `target_modules` that do not compile."""
    bound = subject.binding.at(("method", "target_modules"))
    value = None if bound is None else target(bound.entry.value)
    if bound is None or not isinstance(value, Scalar) or not isinstance(value.value, str):
        return
    fault = fault_of(value.value)
    if fault is not None:
        range_, related = value_place(subject.document, bound.entry.value, bound.via)
        message = f"`{shorten(value.value)}` is not a regular expression: {shorten(fault, 80)}."
        yield this.at(message, range_, related=related)
    elif _NAMES.fullmatch(value.value):
        range_, related = value_place(subject.document, bound.entry.value, bound.via)
        own = bound.via is None and not isinstance(bound.entry.value, Alias)
        message = f"`{shorten(value.value)}` is one expression and no list; no module's name has a comma in it."
        names = [name.strip() for name in value.value.split(",")]
        fixes = [replace("Make it a list", range_, written(names))] if own else []
        yield this.at(message, range_, related=related, fixes=fixes)


@rule(
    "PW311",
    "error",
    _FAMILY,
    "The base has no module of a name that is to get an adapter.",
    why="PEFT stops when no name matches, and passes over one that does not while others do: less is "
    "trained than you think.",
    advice="Write the names that the base's modules have, or `all-linear`.",
    example=_LLAMA_BASE + "method:\n  target_modules: [q_proj, upproj]\n",
    known=_LLAMA,
    source="PEFT tuners_utils.py; PEFT issues 40 and 1206; LMFlow issue 125",
)
def unmatched_target(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find entries of `target_modules`, or an expression there, that match no module of the base."""
    model, targets = subject.context.model, _targets(subject)
    if targets is None or model is None or model.modules is None:
        return
    if isinstance(targets.value, str):
        if targets.value != "all-linear" and matches_any(targets.value, model.modules) is False:
            message = f"No module of {model.name} has a full name that matches `{shorten(targets.value)}`."
            fixes = subject.set("method.target_modules", "all-linear")
            yield this.about(subject, message, targets, fixes=fixes)
        return
    names = _ending_in(model.modules)
    for node, name in _entries(targets):
        if name not in names:
            message = f"{model.name} has no module `{shorten(name)}`."
            yield _of_entry(subject, this, targets, node, message, nearest(name, sorted(_last_parts(model))))


@rule(
    "PW312",
    "error",
    _FAMILY,
    "The list of target modules is empty.",
    why="An adapter on no module trains nothing; PEFT stops.",
    advice="Name modules, or write `all-linear`.",
    example=_BASE + "method:\n  target_modules: []\n",
    source="PEFT tuners_utils.py, NoMatchingPeftModuleError",
)
def no_targets(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find an empty list or text under `target_modules`."""
    targets = _targets(subject)
    if targets is not None and targets.is_written and targets.value in ([], ""):
        message = "`target_modules` is empty, so no module would get an adapter."
        yield this.about(subject, message, targets, fixes=subject.set("method.target_modules", "all-linear"))


@rule(
    "PW313",
    "information",
    _FAMILY,
    "Only the attention gets an adapter.",
    why="At equal size, adapters on the MLP layers, or on all, learn clearly more than those on attention alone.",
    advice="Write `all-linear`, unless memory is short or you repeat an older recipe.",
    example=_BASE + "method:\n  target_modules: [q_proj, v_proj]\n",
    source="LoRA Without Regret (Schulman and others, 2025)",
)
def attention_only(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find lists of target modules that are all attention's."""
    targets = _targets(subject)
    if targets is None or not isinstance(targets.value, list) or not targets.value:
        return
    if all(name.rpartition(".")[2] in bounds().attention_modules for name in targets.value):
        message = "Only attention gets an adapter; adapters on the MLP layers as well usually learn more."
        yield this.about(subject, message, targets, fixes=subject.set("method.target_modules", "all-linear"))


@rule(
    "PW314",
    "error",
    _FAMILY,
    "The base has no module of a name that is to be trained in full.",
    why="The module would not be trained, or PEFT would stop, after the base is loaded.",
    advice="Write the names that the base's modules have, such as `embed_tokens` and `lm_head`.",
    example=_LLAMA_BASE + "method:\n  modules_to_save: [embed_token]\n",
    known=_LLAMA,
    source="PEFT docs, LoraConfig.modules_to_save; PEFT issue 2898",
)
def unmatched_module_to_save(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find entries of `modules_to_save` that name no module of the base."""
    model, saved = subject.context.model, subject.setting("method.modules_to_save")
    if model is None or model.modules is None or saved is None or not isinstance(saved.value, list):
        return
    for node, name in _entries(saved):
        # What is known has no norms among it, so that nothing can be said of them.
        if name not in _parts(model.modules) and not any(part in name.lower() for part in ("norm", "ln_", ".ln")):
            message = f"{model.name} has no module `{shorten(name)}`."
            yield _of_entry(subject, this, saved, node, message, nearest(name, sorted(_last_parts(model))))


def _targets(subject: Subject) -> Setting | None:
    """Return what gets an adapter, None when it cannot be known or when nothing gets one."""
    found = subject.settings("method.target_modules", "method.type")
    return None if found is None or found[1].value == "full" else found[0]


def _entries(setting: Setting) -> Iterator[tuple[Node | None, str]]:
    """Yield the texts of a list with their nodes, which are None when the list is not written."""
    value = None if setting.bound is None else target(setting.bound.entry.value)
    nodes = value.items if isinstance(value, Sequence) else [None] * len(setting.value)
    yield from zip(nodes, setting.value, strict=True)


def _of_entry(
    subject: Subject, this: Rule, setting: Setting, node: Node | None, message: str, meant: str | None
) -> Finding:
    if node is None or setting.bound is None:
        return this.about(subject, message, setting)
    if meant is not None:
        message = f"{message[:-1]}; did you mean `{meant}`?"
    holder = setting.bound.entry.value
    via = setting.bound.via or (holder if isinstance(holder, Alias) else None)
    range_, related = value_place(subject.document, node, via)
    own = via is None and not isinstance(node, Alias) and meant not in setting.value
    fixes: list[Fix] = [replace(f"Change to `{meant}`", range_, written(meant))] if meant is not None and own else []
    return this.at(message, range_, related=related, fixes=fixes)


def _endings(module: str) -> Iterator[str]:
    """Yield a full name and what follows each of its dots, as PEFT compares names."""
    parts = module.split(".")
    return (".".join(parts[start:]) for start in range(len(parts)))


@lru_cache(maxsize=8)
def _ending_in(modules: tuple[str, ...]) -> frozenset[str]:
    """Return the names by which PEFT finds modules that get an adapter."""
    return frozenset(part for module in modules for part in _endings(module))


@lru_cache(maxsize=8)
def _parts(modules: tuple[str, ...]) -> frozenset[str]:
    """Return the names by which PEFT finds modules that are saved: what follows a dot, and each part alone."""
    return _ending_in(modules) | {part for module in modules for part in module.split(".")}


def _last_parts(model: ModelFact) -> set[str]:
    return {module.rpartition(".")[2] for module in model.modules or ()}
