"""Answering questions about the world. Nothing here raises: what cannot be read is not known."""

import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from peft_engine.datasets.describe import describe_dataset
from peft_engine.facts import HardwareFact, ModelFact, ModelFlaw
from peft_engine.files import stamp
from peft_engine.hardware import compute_capability, detect
from peft_engine.look.questions import Answer, AskDataset, AskHardware, AskModel, AskTemplate, AskTokens, Question
from peft_engine.look.template import describe_template
from peft_engine.look.tokens import token_lengths
from peft_engine.models import ResolvedBase, resolve_base
from peft_engine.models.describe import PICKLE_SUFFIXES, describe_model, described_files
from peft_engine.models.regular import special_file
from peft_engine.models.resolve import places_of
from peft_engine.models.validation import find_flaw
from peft_schemas.errors import WorkbenchError

_PACKAGES = ("bitsandbytes", "flash_attn")


def answer(question: Question) -> Answer:
    """Look, and say what is there."""
    resolved = _resolve(question)
    # Before the reading, so that what changes meanwhile is seen as changed.
    stamps = {str(file): stamp(file) for file in _files(question, resolved)}
    try:
        return replace(_look(question, resolved), stamps=stamps)
    except Exception:  # strangers' files: whatever is wrong with them, the next question must find us alive
        return Answer(stamps=stamps)


def _look(question: Question, resolved: ResolvedBase | None) -> Answer:
    match question:
        case AskModel():
            return Answer(model=_model(question, resolved))
        case AskDataset():
            return Answer(dataset=describe_dataset(Path(question.path), question.format, question.columns))
        case AskTokens():
            return Answer(tokens=token_lengths(resolved, question.dataset, question.template))
        case AskTemplate():
            return Answer(template=describe_template(Path(question.path)))
        case AskHardware():
            return Answer(hardware=_hardware(question))


def _resolve(question: Question) -> ResolvedBase | None:
    ask = question.model if isinstance(question, AskTokens) else question
    if not isinstance(ask, AskModel):
        return None
    try:
        return resolve_base(ask.base, ask.revision, folder=Path(ask.folder))
    except (WorkbenchError, OSError, ValueError, RuntimeError):
        return None


def _files(question: Question, resolved: ResolvedBase | None) -> list[Path]:
    match question:
        case AskModel():
            files = [] if resolved is None else described_files(resolved)
            try:
                places = places_of(question.base, question.revision, folder=Path(question.folder))
            except RuntimeError:  # the home folder of a user that does not exist
                places = []
            return places + files
        case AskTokens():
            own = [Path(path) for path in (question.dataset.path, question.template) if path is not None]
            return _files(question.model, resolved) + own
        case AskDataset() | AskTemplate():
            return [Path(question.path)]
        case AskHardware():
            return []


def _model(ask: AskModel, resolved: ResolvedBase | None) -> ModelFact | None:
    if resolved is not None:
        fact, place = describe_model(resolved), resolved.hf_dir or resolved.gguf
        if fact is None or place is None:
            return fact
        # A config without weights is a model on paper, which is checked as far as it goes.
        if fact.weight_bytes is None and special_file(place) is None:
            return fact
        return replace(fact, flaw=_flaw(place))
    path = Path(ask.folder) / Path(ask.base).expanduser()
    if path.suffix in PICKLE_SUFFIXES and path.is_file():
        return ModelFact(name=path.name, is_pickle=True)
    if path.is_file() or path.is_dir():
        return ModelFact(name=path.name, flaw=_flaw(path))
    return None


def _flaw(path: Path) -> ModelFlaw | None:
    found = find_flaw(path)
    return None if found is None else ModelFlaw(found.kind, found.message)


def _hardware(ask: AskHardware) -> HardwareFact:
    report = detect()
    device = report.accelerators[0] if report.accelerators else None
    own = Path(ask.python) == Path(sys.executable)
    return HardwareFact(
        kind=report.kind,
        name=device.name if device else report.cpu or report.platform,
        compute_capability=compute_capability() if report.kind == "cuda" else None,
        memory_bytes=(device.total_memory_bytes if device else None) or report.total_memory_bytes,
        free_disk_bytes=report.free_disk_bytes,
        packages=frozenset(name for name in _PACKAGES if find_spec(name) is not None) if own else None,
        devices=len(report.accelerators) or None,
    )
