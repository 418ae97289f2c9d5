"""Inlay hints: the numbers that follow from what is written, behind the values that they follow from."""

import math
from collections.abc import Iterator

from peft_daemon.language.convert import position_to_lsp
from peft_daemon.language.figures import estimate
from peft_daemon.language.known import known
from peft_daemon.language.rules.places import dotted
from peft_daemon.language.rules.subject import Subject
from peft_daemon.language.rules.values import shorten, written
from peft_daemon.language.wording import phrase
from peft_daemon.lsp import types
from peft_daemon.lsp.params import TextDocumentRangeParams
from peft_daemon.workbench import WorkbenchServer
from peft_engine.config.nodes import Alias, Scalar
from peft_schemas.estimate import Figure, FigureName

_BEHIND: dict[FigureName, tuple[str, ...]] = {
    "effective_batch": ("training.gradient_accumulation_steps", "training.batch_size"),
    "examples": ("evaluation.split",),
    "steps": ("training.num_epochs",),
    "tokens_per_step": ("training.max_length",),
    "trainable_parameters": ("method.r", "method.target_modules", "method.type"),
}
"""Where each figure is shown: behind the first of these keys that is written."""

_SHARES = ("training.warmup_ratio", "evaluation.every_steps", "checkpoint.every_steps")
"""Keys whose value may be a share of all steps."""


def hints(subject: Subject) -> Iterator[types.InlayHint]:
    """Yield every hint of a document."""
    figures = {figure.name: figure for figure in estimate(subject).figures}
    for name, paths in _BEHIND.items():
        written_at = next((offset for path in paths if (offset := _end_of(subject, path)) is not None), None)
        if name in figures and written_at is not None:
            yield _of_figure(subject, written_at, figures[name])
    if (steps := figures.get("steps")) is not None and not steps.is_upper_bound:
        yield from _shares(subject, steps.value)
    yield from _aliases(subject)


def _of_figure(subject: Subject, offset: int, figure: Figure) -> types.InlayHint:
    return _hint(subject, offset, phrase(figure), f"{figure.formula}.")


def _shares(subject: Subject, total: int) -> Iterator[types.InlayHint]:
    """Yield what a share of the steps comes to, rounded up as the training does."""
    for path in _SHARES:
        setting, offset = subject.setting(path), _end_of(subject, path)
        if setting is None or offset is None or not isinstance(setting.value, float) or not 0 < setting.value < 1:
            continue
        count = math.ceil(setting.value * total)
        tooltip = f"{written(setting.value)} of {total:,} steps, rounded up."
        yield _hint(subject, offset, f"{count:,} {'step' if count == 1 else 'steps'}", tooltip)


def _aliases(subject: Subject) -> Iterator[types.InlayHint]:
    """Yield the value behind each alias of a single value."""
    for bound in subject.binding.values():
        value = bound.entry.value
        if bound.via is None and isinstance(value, Alias) and isinstance(value.target, Scalar):
            text = f"= {shorten(written(value.target.value))}"
            yield _hint(subject, value.end, text, f"The value of `&{value.name}` for `{dotted(bound.path)}`.")


def _end_of(subject: Subject, path: str) -> int | None:
    """Return the end of a written value that stands on one line, None when it is not written there."""
    bound = subject.binding.at(tuple(path.split(".")))
    if bound is None or bound.via is not None or isinstance(bound.entry.value, Alias):
        return None
    value, source = bound.entry.value, subject.document.source
    if value.start == value.end or source.line_of(value.start) != source.line_of(value.end):
        return None
    return value.end


def _hint(subject: Subject, offset: int, label: str, tooltip: str) -> types.InlayHint:
    position = position_to_lsp(subject.document.source.position(offset))
    content: types.MarkupContent = {"kind": "markdown", "value": tooltip}
    return {"position": position, "label": label, "tooltip": content, "paddingLeft": True}


def register(server: WorkbenchServer) -> None:
    """Answer `textDocument/inlayHint`."""

    async def answer(params: TextDocumentRangeParams) -> list[types.InlayHint]:
        document = server.documents.get(params["textDocument"]["uri"])
        if document is None:
            return []
        first, last = params["range"]["start"]["line"], params["range"]["end"]["line"]
        found = hints((await known(server, document)).subject)
        return [hint for hint in found if first <= hint["position"]["line"] <= last]

    def refresh() -> None:
        if server.can("workspace.inlayHint.refreshSupport"):
            server.spawn(server.request("workspace/inlayHint/refresh"))

    server.feature("textDocument/inlayHint", answer)
    server.world.on_change(refresh)
