"""Family `security`: what a config trusts, and what it gives away."""

import re
from collections.abc import Iterator

from peft_daemon.language.context import MODEL_SUFFIXES, CheckContext, is_local_path
from peft_daemon.language.rules.registry import Rule, rule
from peft_daemon.language.rules.secrets import find_secrets
from peft_daemon.language.rules.subject import Subject
from peft_engine.facts import ModelFact
from peft_schemas.findings import Finding

_FAMILY = "security"
_BASE = "version: 1\nmodel:\n  base: org/model\ndatasets:\n  - path: org/data\n"
_TRUSTING = _BASE.replace("base: org/model", "base: org/model\n  trust_remote_code: true")
_COMMIT = re.compile(r"[0-9a-f]{40}")


@rule(
    "PW820",
    "warning",
    _FAMILY,
    "Code that the model brings along is run.",
    why="It runs with all your rights: it can read your files and keys, and whoever owns the repository can change it.",
    advice="Leave `trust_remote_code` off for what Transformers knows by itself; else read the code "
    "and pin `revision`.",
    example=_TRUSTING.replace("true", "true\n  revision: 9b8c1d2e3f405162738495a6b7c8d9e0f1a2b3c4"),
    source="Transformers docs, custom models",
)
def remote_code_trusted(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find `trust_remote_code: true`."""
    trust = subject.setting("model.trust_remote_code")
    if trust is not None and trust.value:
        message = "Code from the model's repository runs with all your rights."
        model = subject.context.model
        fixes = [] if model is not None and model.has_remote_code else subject.set(trust.path, False)
        yield this.about(subject, message, trust, fixes=fixes)


@rule(
    "PW821",
    "warning",
    _FAMILY,
    "Code is run from a revision that can change.",
    why="A branch or tag can be moved: what runs tomorrow need not be the code that you have read.",
    advice="Write the commit whose code you have read, all 40 characters, under `revision`.",
    example=_TRUSTING.replace("true", "true\n  revision: main"),
    source="Transformers docs, custom models, code_revision",
)
def remote_code_unpinned(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find trusted code of a hub model without a commit."""
    found = subject.settings("model.revision", "model.trust_remote_code", "model.base")
    if found is None or not found[1].value or is_local_path(str(found[2].value), MODEL_SUFFIXES):
        return
    revision, trust, _ = found
    model = subject.context.model
    pinned = model is not None and model.revision_is_pinned is True
    if pinned or _COMMIT.fullmatch(str(revision.value)):
        return
    message = "The code that is trusted can change: `revision` names no commit."
    causes = (revision, trust) if revision.is_written else (trust,)
    yield this.about(subject, message, *causes)


@rule(
    "PW822",
    "warning",
    _FAMILY,
    "The base's weights are in pickle files.",
    why="Reading a pickle can run any code that its author put in it; safetensors holds nothing but numbers.",
    advice="Take a base with safetensors files, or convert it once on a machine that has nothing to lose.",
    example="# The weights of this base are in pytorch_model.bin.\n" + _BASE,
    known=CheckContext(model=ModelFact("org/model", is_pickle=True)),
    source="Hugging Face docs, pickle scanning; Python docs, pickle",
)
def pickled_weights(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find bases whose only weights are pickles."""
    model, base = subject.context.model, subject.setting("model.base")
    if model is not None and model.is_pickle and base is not None:
        message = f"The weights of {model.name} are in pickle files, which can run code when they are read."
        yield this.about(subject, message, base)


@rule(
    "PW823",
    "error",
    _FAMILY,
    "A key to another service stands in the file.",
    why="Configs are shared and committed, and with them the key; whoever has it can act as you.",
    advice="Take the key out and revoke it at its service. A new one belongs in the environment, as "
    "`MLFLOW_TRACKING_TOKEN` does, and never in a file that is shared.",
    example=_BASE + "name: hf_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n",
    source="GitHub docs, secret scanning patterns; OWASP, Secrets Management Cheat Sheet",
    judges="part",
)
def secret_in_file(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find texts of the forms that keys have, in values, keys and comments."""
    source = subject.document.source
    for kind, start, end in find_secrets(source.text):
        message = f"This looks like {kind}; take it out and revoke it, since the file may be shared."
        yield this.at(message, source.range(start, end))
