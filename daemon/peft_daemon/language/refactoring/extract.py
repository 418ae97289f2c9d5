"""Moving what a config says into a preset that other configs can use."""

import re
import textwrap
from collections.abc import Callable, Iterator

from peft_daemon.language.refactoring.offer import Change, NewFile, Refactoring
from peft_daemon.language.revision import NotInPlace, Revision
from peft_daemon.language.rules.edits import insert_root_key
from peft_daemon.language.rules.values import written
from peft_engine.config.nodes import Entry, Mapping, target
from peft_engine.config.presets import FOLDER
from peft_engine.config.resolve import clean_name
from peft_schemas.findings import TextEdit

_KIND = "refactor.extract.peft.preset"
SECTIONS = ("method", "training", "evaluation", "checkpoint", "export")
"""What a preset may hold. The model and the data are what a config is about, and stay in it."""


def extractions(revision: Revision, section: str | None) -> Iterator[Refactoring]:
    """Yield the move of the section at the cursor, and of all sections, into a new preset."""
    binding = revision.subject.binding
    if binding.at(("preset",)) is not None or revision.context.folder is None:
        return
    present = [name for name in SECTIONS if (bound := binding.at((name,))) is not None and bound.via is None]
    if section in present and len(present) > 1:
        yield _extraction(revision, f"Move `{section}` into a preset", [section])
    if present:
        sections = ", ".join(f"`{name}`" for name in present)
        yield _extraction(revision, f"Move {sections} into a preset", present)


def _extraction(revision: Revision, title: str, sections: list[str]) -> Refactoring:
    return Refactoring(f"extract.{'.'.join(sections)}", title, _KIND, _change(revision, sections))


def _change(revision: Revision, sections: list[str]) -> Callable[[], Change]:
    def change() -> Change:
        name = _free_name(revision, sections)
        entries = [_entry(revision, section) for section in sections]
        body = "".join(textwrap.indent(_text(revision, entry), "  ") for entry in entries)
        file = NewFile(f"{FOLDER}/{name}.yaml", f"title: {written(name)}\nvalues:\n{body}")
        return Change(_without(revision, sections, name), file)

    return change


def _entry(revision: Revision, section: str) -> Entry:
    """Return a section that stands on lines of its own and shares nothing by anchors."""
    bound = revision.subject.binding.at((section,))
    if bound is None or not isinstance(target(bound.entry.value), Mapping):
        raise NotInPlace(section)
    source = revision.document.source
    text = source.text[bound.entry.start : bound.entry.end]
    if source.text[source.line_start(source.line_of(bound.entry.start)) : bound.entry.start].strip():
        raise NotInPlace(section)
    if re.search(r"(^|[\s\[{,])[&*]\w", text):
        raise NotInPlace(section)
    return bound.entry


def _text(revision: Revision, entry: Entry) -> str:
    source = revision.document.source
    first, last = source.line_of(entry.start), source.line_of(entry.end)
    lines = [source.line(line) for line in range(first, last + 1)]
    return textwrap.dedent("\n".join(lines)).rstrip() + "\n"


def _without(revision: Revision, sections: list[str], name: str) -> list[TextEdit]:
    """Return the edits that take the sections out and name the preset where the first of them stood."""
    changed = revision
    for section in sections:
        changed = changed.without(section)
    edit = insert_root_key(changed.document, f"preset: {written(name)}")
    if edit is None:
        raise NotInPlace("preset")
    return changed.changed([edit]).edits_from(revision.document)


def _free_name(revision: Revision, sections: list[str]) -> str:
    setting = revision.subject.setting("name")
    wanted = setting.value if setting is not None and isinstance(setting.value, str) else None
    stem = clean_name(wanted or "-".join(sections)) or "preset"
    taken = revision.context.preset_names
    return next(name for name in (stem, *(f"{stem}-{n}" for n in range(2, len(taken) + 3))) if name not in taken)
