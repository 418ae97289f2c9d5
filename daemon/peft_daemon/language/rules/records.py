"""Family `data`, part 2: what a dataset's entry says of its records, against the records."""

import re
from collections.abc import Iterator
from typing import get_args

from peft_daemon.language.binding import BoundKey
from peft_daemon.language.context import CheckContext
from peft_daemon.language.rules.entries import DatasetEntry
from peft_daemon.language.rules.places import value_place
from peft_daemon.language.rules.registry import Rule, replace, rule
from peft_daemon.language.rules.subject import Subject
from peft_daemon.language.rules.values import nearest, shorten, written
from peft_engine.config.nodes import Alias
from peft_engine.datasets.formats import KnownFormat, lacking_fields
from peft_engine.facts import DatasetFact
from peft_schemas.findings import Finding, Fix

_FAMILY = "data"
_PATH = "data/train.jsonl"
_BASE = f"version: 1\nmodel:\n  base: gpt2\ndatasets:\n  - path: {_PATH}\n"
_SPLIT_PART = re.compile(
    r"(?P<name>\w[\w.-]*)?(?:\[(?P<start>-?\d[\d_]{0,20}%?)?:(?P<stop>-?\d[\d_]{0,20}%?)?\])?", re.ASCII
)


def _knowing(fact: DatasetFact) -> CheckContext:
    return CheckContext(datasets={_PATH: fact})


@rule(
    "PW603",
    "error",
    _FAMILY,
    "A record of a dataset cannot be read.",
    why="The run would stop there; tools that pass over such records train on less than you think.",
    advice="Correct the line that the finding names, or delete it.",
    example="# Line 3 of this file is cut off.\n" + _BASE,
    known=_knowing(DatasetFact(None, "text", ("text",), problem="Line 3 is no JSON.", problem_line=3)),
    source="Hugging Face Datasets docs, JSON Lines; Axolotl issue 885",
    judges="part",
)
def unreadable_record(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find datasets with a record that the reader refuses."""
    for entry, fact in _known(subject):
        if fact.problem is not None:
            yield from _at(subject, this, entry.key(subject.binding, "path"), " ".join(fact.problem.split()))


@rule(
    "PW604",
    "error",
    _FAMILY,
    "A column that the config names is not in the dataset.",
    why="The field would stay empty, and the run would fail at the first record.",
    advice="Name a column that the records have.",
    example="# The records of this file have the columns question and answer.\n"
    + _BASE
    + "    columns:\n      prompt: quesion\n      completion: answer\n",
    known=_knowing(DatasetFact(10, None, ("question", "answer"))),
    source="Hugging Face Datasets docs, rename_column; Axolotl docs, field_messages",
    judges="part",
)
def unknown_column(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find values of `columns` that no record has."""
    for entry, fact in _known(subject):
        if not fact.columns:
            continue
        for field, column in entry.columns.items():
            if column in fact.columns:
                continue
            meant = nearest(column, list(fact.columns))
            there = f"did you mean `{meant}`?" if meant else f"there are {shorten(', '.join(fact.columns), 80)}."
            message = f"The records have no column `{shorten(column)}`; {there}"
            yield from _at(subject, this, entry.key(subject.binding, "columns", field), message, meant)


@rule(
    "PW605",
    "error",
    _FAMILY,
    "The records do not have the format that the config says, or none that is known.",
    why="Every record would be refused, or read as something that it is not.",
    advice="Set `format` to what the records are, or name their fields under `columns`.",
    example="# The records of this file have the columns instruction and output.\n" + _BASE + "    format: messages\n",
    known=_knowing(DatasetFact(10, "alpaca", ("instruction", "output"))),
    source="TRL docs, dataset formats; LLaMA-Factory data/README",
    judges="part",
)
def other_format(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find formats whose fields the records lack, and records in which no format is recognised."""
    for entry, fact in _known(subject):
        format_ = entry.values.get("format", "auto")
        columns = _renamed(entry, fact)
        if columns is None or not columns or fact.problem is not None:
            continue
        if format_ in get_args(KnownFormat):
            missing = lacking_fields(columns, format_)
            if missing:
                lacks = " and ".join(f"`{field}`" for field in missing)
                message = f"The records have no {lacks}, which `{format_}` needs."
                if fact.format is not None:
                    message = f"{message[:-1]}; they look like `{fact.format}`."
                yield from _at(subject, this, entry.key(subject.binding, "format"), message, fact.format)
        elif format_ == "auto" and all(lacking_fields(columns, shape) for shape in get_args(KnownFormat)):
            shown = shorten(", ".join(fact.columns), 60)
            message = f"The records have the columns {shown}, which fit no known format; map them with `columns`."
            yield from _at(subject, this, entry.key(subject.binding, "path"), message)


@rule(
    "PW606",
    "information",
    _FAMILY,
    "A dataset has records more than once.",
    why="What stands there twice is learned twice as hard, and a copy that is held out makes the evaluation too good.",
    advice="Delete the copies, unless you want them to weigh more.",
    example="# 12 of the 100 records of this file are copies of others.\n" + _BASE,
    known=_knowing(DatasetFact(100, "text", ("text",), duplicates=12)),
    source="Deduplicating Training Data Makes Language Models Better (2021)",
    judges="part",
)
def duplicated_records(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find datasets with copies of records."""
    for entry, fact in _known(subject):
        if fact.duplicates:
            copies = "1 record is a copy" if fact.duplicates == 1 else f"{fact.duplicates} records are copies"
            yield from _at(subject, this, entry.key(subject.binding, "path"), f"{copies} of others in the same file.")


@rule(
    "PW607",
    "error",
    _FAMILY,
    "The part of a dataset is written in a way that selects nothing.",
    why="The run would stop when it reads its data, or train on nothing.",
    advice="Write it as Datasets does: `train`, `train[:10%]` or `[100:200]`, within the records that there are.",
    example=_BASE + '    split: "train[:10%"\n',
    source="Hugging Face Datasets docs, slice splits",
    judges="part",
)
def bad_split(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find values of `split` that are no slices, lie beyond the records, or name what a file does not have."""
    for entry in subject.all_entries():
        split = entry.values.get("split")
        if isinstance(split, str) and split:
            fault = _split_fault(split, entry.fact(subject.context), _is_file(subject, entry))
            if fault is not None:
                yield from _at(subject, this, entry.key(subject.binding, "split"), f"`{shorten(split)}` {fault}.")


def _split_fault(split: str, fact: DatasetFact | None, is_file: bool) -> str | None:
    """Return why a split selects nothing, to complete a sentence."""
    for part in split.split("+"):
        match = _SPLIT_PART.fullmatch(part.strip())
        if match is None or not part.strip():
            return "is no part of a dataset; write it like `train[:10%]` or `[100:200]`"
        if is_file and match["name"] not in (None, "train"):
            return f"names the split {match['name']}, and a file has only `train`"
        bounds = [match["start"], match["stop"]]
        written_bounds = [bound.replace("_", "") for bound in bounds if bound is not None]
        percents = [int(bound[:-1]) for bound in written_bounds if bound.endswith("%")]
        counts = [int(bound) for bound in written_bounds if not bound.endswith("%")]
        if any(abs(percent) > 100 for percent in percents):
            return "goes beyond 100%"
        records = None if fact is None else fact.records
        if records is not None and any(abs(count) > records for count in counts):
            return f"goes beyond the {records} records that there are"
        same_kind = len(percents) == 2 or len(counts) == 2
        first, last = (percents or counts) if same_kind else (0, 1)
        if same_kind and (first < 0) == (last < 0) and first >= last:
            return "ends before it begins, so it selects nothing"
    return None


def _known(subject: Subject) -> Iterator[tuple[DatasetEntry, DatasetFact]]:
    """Yield the entries whose data is known."""
    for entry in subject.all_entries():
        fact = entry.fact(subject.context)
        if fact is not None:
            yield entry, fact


def _renamed(entry: DatasetEntry, fact: DatasetFact) -> set[str] | None:
    """Return the columns as the formats know them, None when the mapping itself is at fault."""
    named = entry.columns
    if not set(named.values()).issubset(fact.columns):
        return None
    return (set(fact.columns) - set(named.values())) | set(named)


def _is_file(subject: Subject, entry: DatasetEntry) -> bool:
    fact = subject.context.files.get(entry.path or "")
    return fact is not None and fact.state in ("present", "empty")


def _at(
    subject: Subject, this: Rule, bound: BoundKey | None, message: str, better: str | None = None
) -> Iterator[Finding]:
    """Yield the finding of one value of an entry, with the fix that writes a better one."""
    if bound is None:
        return
    node = bound.entry.value
    range_, related = value_place(subject.document, node, bound.via)
    fixes: list[Fix] = []
    if better is not None and bound.via is None and not isinstance(node, Alias):
        fixes = [replace(f"Change to `{better}`", range_, written(better))]
    yield this.at(message, range_, fixes=fixes, related=related)
