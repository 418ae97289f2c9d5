"""From another tool's config to one of ours, with a word about everything that is not the same."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from peft_engine.config.document import Document, parse
from peft_engine.config.foreign import axolotl, llamafactory, oumi, torchtune, trl
from peft_engine.config.foreign.convert import carry
from peft_engine.config.foreign.draft import CONTRADICTION, DOUBTFUL, TEXT_FAULT, TO_FILL_IN, UNUSABLE, Draft, Step
from peft_engine.config.foreign.result import text_of, values_of
from peft_engine.config.foreign.source import Source
from peft_engine.config.foreign.strays import report_strays
from peft_engine.config.foreign.tables import Table, Tool, load_table
from peft_engine.config.nodes import Mapping as MappingNode
from peft_engine.config.nodes import effective_entries, target
from peft_engine.config.read import read_source
from peft_engine.config.schema import key_at
from peft_engine.config.text import SourceText
from peft_schemas.config import RunConfig
from peft_schemas.findings import Finding, Severity

_STEPS: dict[Tool, dict[str, Step]] = {
    "axolotl": axolotl.STEPS,
    "llamafactory": llamafactory.STEPS,
    "torchtune": torchtune.STEPS,
    "oumi": oumi.STEPS,
    "trl": trl.STEPS,
}


@dataclass(frozen=True)
class Imported:
    """The outcome of an import."""

    config: str
    """The text of the new config; empty when the file was refused."""

    findings: list[Finding]
    """In the order of the foreign file, whose places they name."""

    record: Mapping[str, tuple[str, ...]]
    """By foreign path, the keys here that its value went into; none for one that asks for what is so anyway."""

    @property
    def is_usable(self) -> bool:
        """Whether the config can be used as it is."""
        return bool(self.config) and all(finding.severity != "error" for finding in self.findings)


def read_foreign(path: Path) -> str:
    """Return the text of another tool's config.

    JSON may be indented with tabs, YAML may not: in a `.json` each becomes a space, so that every character keeps its
    place.

    Raises:
        WorkbenchError: There is no such file, or it cannot be opened (`config-missing`).
    """
    text = read_source(path).text
    return text.replace("\t", " ") if path.suffix.lower() == ".json" else text


def import_config(tool: Tool, text: str, folder: Path | None = None) -> Imported:
    """Translate a config. Whatever the text holds, nothing is raised and nothing is executed.

    Args:
        tool: The tool whose config it is.
        text: The file's text.
        folder: The file's folder, in which LLaMA-Factory's `dataset_info.json` is looked for.
    """
    table = load_table(tool)
    document = parse(SourceText(text))
    refusals = _refusals(document, table)
    if refusals:
        return Imported("", refusals, {})
    draft = Draft(table, Source(document, table), folder)
    for path, rule in table.rules().items():
        leaf = draft.get(path)
        if leaf is not None:
            carry(draft, leaf, rule)
    for step in _STEPS[tool].values():
        step(draft)
    report_strays(draft)
    _report_readings(draft)
    _fill_in(draft)
    _apply_defaults(draft)
    _drop_invalid(draft)
    findings = sorted({finding.model_dump_json(): finding for finding in draft.findings}.values(), key=_place)
    return Imported(text_of(draft), findings, draft.record)


def steps_of(tool: Tool) -> frozenset[str]:
    """Return the names of the steps that a tool's table may list under `together`."""
    return frozenset(_STEPS[tool])


def _refusals(document: Document, table: Table) -> list[Finding]:
    """Return why a text is not translated at all."""
    source = document.source
    if document.problems:
        return [
            Finding(code=TEXT_FAULT, severity="error", message=p.message, range=source.range(p.start, p.end))
            for p in document.problems
        ]
    root = target(document.root)
    first_line = source.range(0, source.line_end(0))
    if not isinstance(root, MappingNode) or not root.entries:
        message = f"A config of {table.title} is a mapping of keys to values, and this is none."
        return [Finding(code=TEXT_FAULT, severity="error", message=message, range=first_line)]
    entries = [effective.entry for effective in effective_entries(root)]
    names = [entry.name for entry in entries]
    # No other tool has both.
    if "version" in names and document.find(("model", "base")) is not None:
        message = "This is a config of PEFT Workbench already; `peftw check` judges it."
        place = document.range(entries[names.index("version")].key)
        return [Finding(code=TEXT_FAULT, severity="error", message=message, range=place)]
    other = _other_kind(names, table)
    if other is not None:
        what, mark = other
        message = f"This is {what} and no run: only what `{table.training.command}` reads can be imported."
        place = document.range(entries[names.index(mark)].key)
        return [Finding(code=TEXT_FAULT, severity="error", message=message, range=place)]
    known = {path.partition(".")[0].partition("[")[0] for path in table.known_paths()}
    if known.isdisjoint(names):
        message = f"{table.title} knows none of these keys, so this is no config of it."
        return [Finding(code=TEXT_FAULT, severity="error", message=message, range=document.range(root.entries[0].key))]
    return []


def _other_kind(names: list[str], table: Table) -> tuple[str, str] | None:
    """Return which other config of a tool one with these keys is, and the key that tells; None for one of a run."""
    if not set(table.training.keys).isdisjoint(names):
        return None
    marks = ((what, key) for what, keys in table.training.others.items() for key in keys if key in names)
    return next(marks, None)


def _report_readings(draft: Draft) -> None:
    """Say how values read that were taken; how one reads that is left out does not matter."""
    for leaf in draft.source.leaves.values():
        if leaf.doubt is not None and leaf.path in draft.record:
            severity: Severity = "information" if draft.table.converts_text else "warning"
            draft.report(DOUBTFUL, severity, f"{leaf.doubt}.", leaf)
    for repeat in draft.source.repeats:
        message = f"`{repeat.path}` stands again further down, and the last one counts."
        place = draft.source.document.range(repeat.key)
        draft.findings.append(Finding(code=CONTRADICTION, severity="warning", message=message, range=place))


def _fill_in(draft: Draft) -> None:
    """Leave room for what a run cannot do without. An empty value is an error until it is filled in."""
    title = draft.table.title
    if "model.base" not in draft.settings:
        draft.put("model.base", None, note="fill in: a hub id, or the path of a folder or file")
        draft.report(TO_FILL_IN, "error", f"Nothing here names the base model to {title}; fill in `model.base`.", None)
    if not any(path.startswith("datasets[") and path.endswith("].path") for path in draft.settings):
        for path in [path for path in draft.settings if path.startswith("datasets[")]:
            draft.unset(path)
        draft.put("datasets[0].path", None, note="fill in: a file, or the id of a dataset on the hub")
        message = f"Nothing here names the training data to {title}; fill in `datasets[0].path`."
        draft.report(TO_FILL_IN, "error", message, None)


def _apply_defaults(draft: Draft) -> None:
    settings = draft.settings
    full = settings["method.type"].value == "full" if "method.type" in settings else False
    evaluates = any(path == "evaluation.split" or path.startswith("evaluation.datasets") for path in settings)
    for path, value in draft.table.defaults.items():
        if (path.startswith("method.") and full) or (path.startswith("evaluation.") and not evaluates):
            continue
        draft.default(path, value)
    if evaluates:
        return
    for path in [path for path in settings if path.startswith("evaluation.")]:
        setting = draft.unset(path)
        for leaf in () if setting is None else setting.leaves:
            draft.leave_out(leaf, "Nothing is evaluated, so it has no effect.", "hint")


def _drop_invalid(draft: Draft) -> None:
    """Leave out values that the language does not take, and say so at each."""
    while True:
        try:
            RunConfig.model_validate(values_of(draft, without_gaps=True))
        except ValidationError as error:
            invalid = [path for fault in error.errors() for path in _settings_at(draft, fault["loc"])]
            if not invalid:
                raise
            for path in dict.fromkeys(invalid):
                _drop(draft, path)
            _fill_in(draft)
        else:
            return


def _drop(draft: Draft, path: str) -> None:
    key = key_at(tuple(part.partition("[")[0] for part in path.split(".")))
    bounds = "" if key is None or not str(key.bounds) else f", which is {key.bounds}"
    setting = draft.unset(path)
    for leaf in () if setting is None else setting.leaves:
        message = f"`{leaf.value}` cannot stand in `{path}`{bounds}; it is left out."
        draft.report(UNUSABLE, "error", message, leaf)


def _settings_at(draft: Draft, location: tuple[int | str, ...]) -> list[str]:
    """Return the setting that a fault of the validation is about; for an entry without its path, all of the entry."""
    path = entry = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
        entry = path if isinstance(part, int) else entry
        if path in draft.settings:
            return [path]
    return [setting for setting in draft.settings if entry and setting.startswith(f"{entry}.")]


def _place(finding: Finding) -> tuple[int, int, int, int, str]:
    start, end = finding.range.start, finding.range.end
    return start.line, start.character, end.line, end.character, finding.code
