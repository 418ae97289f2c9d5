"""Putting together what is known around a document: files at once, everything else by asking."""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from peft_daemon.language.context import NOTHING_KNOWN, CheckContext, DatasetFact
from peft_daemon.language.world.answers import answers_of
from peft_daemon.language.world.files import data_files, file_facts
from peft_daemon.language.world.named import Named, named_in
from peft_engine.config.document import Document
from peft_engine.config.presets import load_preset, preset_names, preset_path
from peft_engine.look import Answer, AskDataset, AskHardware, AskModel, AskTemplate, AskTokens, Question
from peft_engine.loopback.answering import is_answering
from peft_schemas.errors import WorkbenchError

_MAX_DATASETS = 200
"""Datasets of one document that are read."""

_MAX_COUNTED = 20
"""Datasets of one document whose tokens are counted."""


def gather(document: Document, path: Path | None, *, python: str = sys.executable) -> CheckContext:
    """Look at everything that a document names, and wait for it.

    Args:
        document: The document.
        path: Its own file, which need not exist; None for a document without a place on disk.
        python: The interpreter that trains.
    """
    if path is None:
        return NOTHING_KNOWN
    folder = path.absolute().parent
    named = named_in(document)
    there = None if named.tracker is None else is_answering(named.tracker)
    context = replace(look_at_files(folder, named), trackers=trackers_of(named, {named.tracker: there}))
    return complete(context, questions(folder, named, context, python), answers_of(python).find)


def look_at_files(folder: Path, named: Named, before: CheckContext | None = None) -> CheckContext:
    """Return what a glance at the disk says: files and presets.

    Args:
        folder: The folder that relative paths count from.
        named: What the document names.
        before: What was seen there a moment ago, so that only what is named since has to be looked at.
    """
    presets, preset_fault = _presets(folder, named.preset)
    return CheckContext(
        folder=folder,
        files=file_facts(folder, named, {} if before is None else before.files),
        data_files=data_files(folder) if before is None else before.data_files,
        presets=presets,
        preset_fault=preset_fault,
        preset_names=preset_names(folder) if before is None else before.preset_names,
        today=datetime.now().astimezone().date(),
    )


def trackers_of(named: Named, there: Mapping[str | None, bool | None]) -> dict[str, bool]:
    """Return whether the tracker that a document names answers; nothing where it names none or that is not known."""
    answers = there.get(named.tracker)
    return {} if named.tracker is None or answers is None else {named.tracker: answers}


@dataclass(frozen=True)
class Questions:
    """What has to be asked about the things that a document names."""

    hardware: AskHardware
    model: AskModel | None = None
    template: AskTemplate | None = None
    datasets: Mapping[str, AskDataset] = field(default_factory=dict)
    """By path, as the config writes it."""

    tokens: Mapping[str, AskTokens] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Question]:
        """Yield them all, those that are quick to answer first."""
        yield self.hardware
        if self.model is not None:
            yield self.model
        if self.template is not None:
            yield self.template
        yield from self.datasets.values()
        yield from self.tokens.values()


def questions(folder: Path, named: Named, context: CheckContext, python: str) -> Questions:
    """Return what has to be asked.

    Args:
        folder: The folder that relative paths count from.
        named: What the document names.
        context: What its files are.
        python: The interpreter that trains.
    """
    model = None if named.base is None else AskModel(named.base, named.revision, str(folder))
    written = named.template
    template = None if written is None or not _is_there(context, written) else _absolute(folder, written)
    there = (named.by_path[path] for path in named.by_path if _is_there(context, path))
    datasets = {
        dataset.path: AskDataset(_absolute(folder, dataset.path), dataset.format, dataset.columns)
        for dataset in islice(there, _MAX_DATASETS)
    }
    counted = islice(datasets.items(), _MAX_COUNTED)
    return Questions(
        hardware=AskHardware(python),
        model=model,
        template=None if template is None else AskTemplate(template),
        datasets=datasets,
        tokens={} if model is None else {path: AskTokens(model, dataset, template) for path, dataset in counted},
    )


def complete(context: CheckContext, asked: Questions, find: Callable[[Question], Answer | None]) -> CheckContext:
    """Return a context with the answers added.

    Args:
        context: What the files say.
        asked: The questions.
        find: Returns the answer to a question, None when it is not there yet.
    """
    model = None if asked.model is None else find(asked.model)
    template = None if asked.template is None else find(asked.template)
    hardware = find(asked.hardware)
    datasets = {path: find(question) for path, question in asked.datasets.items()}
    tokens = {path: find(question) for path, question in asked.tokens.items()}
    return replace(
        context,
        model=None if model is None else model.model,
        template=None if template is None else template.template,
        hardware=None if hardware is None else hardware.hardware,
        datasets={
            path: _with_tokens(answer.dataset, tokens.get(path))
            for path, answer in datasets.items()
            if answer is not None and answer.dataset is not None
        },
    )


def _with_tokens(fact: DatasetFact, counted: Answer | None) -> DatasetFact:
    if counted is None or counted.tokens is None:
        return fact
    return replace(fact, tokens_p50=counted.tokens.p50, tokens_p99=counted.tokens.p99)


def _is_there(context: CheckContext, written: str) -> bool:
    fact = context.files.get(written)
    return fact is not None and fact.state == "present"


def _absolute(folder: Path, written: str) -> str:
    return str(folder / Path(written).expanduser())


def _presets(folder: Path, name: str | None) -> tuple[dict[str, Mapping[str, Any]], str | None]:
    """Return the values of the preset that is named, and why there are none."""
    path = None if name is None else preset_path(name, folder)
    if name is None or path is None:
        return {}, None
    try:
        return {name: load_preset(path).values}, None
    except WorkbenchError as error:
        return {}, error.message
