"""Family `schema`, part 1: keys that are unknown, foreign, repeated or absent."""

from collections.abc import Iterator

from peft_daemon.language.binding import AbsentKey, StrayKey
from peft_daemon.language.rules.edits import delete_entry, insert_key, insert_root_key
from peft_daemon.language.rules.idle import is_idle
from peft_daemon.language.rules.moves import (
    has_key,
    homes,
    meant_paths,
    move,
    place_name,
    removal,
    rename,
    same_section,
)
from peft_daemon.language.rules.places import dotted, key_place, section_name
from peft_daemon.language.rules.registry import Rule, rule
from peft_daemon.language.rules.subject import Subject
from peft_daemon.language.rules.values import expectation, faults, fits, nearest, shorten, written
from peft_daemon.language.rules.wordings import unusual_character
from peft_engine.config.document import Path
from peft_engine.config.foreign import foreign_names, without_equivalent
from peft_engine.config.nodes import Mapping, Scalar, target
from peft_engine.config.schema import Key, key_at, walk
from peft_schemas.findings import Finding, Fix, Position, Range, Related

_FAMILY = "schema"
_LIKE_ENOUGH_ELSEWHERE = 0.8
_MOST_EXPLAINED = 50
"""Unknown keys for which near names are sought: a file with more is no config, and seeking takes time."""


@rule(
    "PW101",
    "error",
    _FAMILY,
    "The section has no such key.",
    why="Ignored, a misspelt learning rate would train with the default and say nothing.",
    advice="Correct the spelling, move the key to the section that has it, or delete it.",
    example="version: 1\nmodel:\n  base: gpt2\ndatasets:\n  - path: org/data\ntraining:\n  learning_rat: 1.0e-4\n",
    judges="keys",
)
def unknown_key(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find keys that are neither in the language nor known from other tools."""
    unknown = [stray for stray in subject.binding.stray if stray.entry.name not in foreign_names()]
    for index, stray in enumerate(unknown):
        if index < _MOST_EXPLAINED:
            message, fixes = _explain_unknown(subject, stray)
        else:
            message, fixes = f"{_not_a_key(stray)}.", []
        range_, related = key_place(subject.document, stray.entry, stray.via)
        yield this.at(message, range_, fixes=[] if _stands_again(subject, stray) else fixes, related=related)


@rule(
    "PW110",
    "error",
    _FAMILY,
    "The key is another tool's name for something that the language has.",
    why="Every tool has its own names for the same things; ignored, your value would silently become the default.",
    advice="Use the language's own name, in the section that has it; the fix does, where the value can stand there.",
    example="version: 1\nmodel:\n  base: gpt2\ndatasets:\n  - path: org/data\nmethod:\n  type: lora\n  lora_r: 8\n",
    judges="keys",
)
def foreign_key(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find the key names of Axolotl, LLaMA-Factory, TRL, torchtune and Oumi."""
    for stray in subject.binding.stray:
        foreign = foreign_names().get(stray.entry.name)
        key = None if foreign is None else key_at(tuple(foreign.path.replace("[]", "").split(".")))
        if foreign is None or key is None:
            continue
        tools = " and ".join(foreign.tools[:2])
        message = f"`{stray.entry.name}` is the name in {tools}; here it is `{key.name}` in {place_name(foreign.path)}."
        fixes = []
        if not _stands_again(subject, stray):
            likely = _likely(subject, [(foreign.path, key)])
            fixes = _relocations(subject, stray, foreign.path, key) if likely else _deletion(subject, stray)
        message += "" if fixes else _unfit(stray, key)
        range_, related = key_place(subject.document, stray.entry, stray.via)
        yield this.at(message, range_, fixes=fixes, related=related)


@rule(
    "PW106",
    "error",
    _FAMILY,
    "A mapping has the same key twice.",
    why="YAML parsers differ in which of the two they keep, so one of your values would be lost in silence.",
    advice="Keep one of the two; the first one counts until then.",
    example="version: 1\nversion: 1\nmodel:\n  base: gpt2\ndatasets:\n  - path: org/data\n",
    judges="keys",
)
def repeated_key(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find keys that their mapping has already."""
    document = subject.document
    for repeated in subject.binding.repeated:
        message = f"`{shorten(repeated.again.name)}` stands here a second time."
        first = Related(range=document.range(repeated.first.key), message="It stands here first.")
        mapping = _mapping_of(subject, repeated.path[:-1])
        edit = None if mapping is None else delete_entry(document, mapping, repeated.again)
        fixes = [] if edit is None else [Fix(title=f"Delete this `{shorten(repeated.again.name)}`", edits=[edit])]
        yield this.at(message, document.range(repeated.again.key), fixes=fixes, related=[first])


@rule(
    "PW104",
    "error",
    _FAMILY,
    "A required key is missing.",
    why="The run cannot be built without the key, and no default could be right for everyone.",
    advice="Add the key; the fix inserts it with an example value where one can be known to work.",
    example="version: 1\nmodel:\n  dtype: auto\ndatasets:\n  - path: org/data\n",
    judges="keys",
)
def missing_key(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find required keys that are not written, nor meant by another finding's key.

    While parts of the text cannot be read, this cannot be known.
    """
    if not subject.document.is_sound or not subject.binding.absent:
        return
    strays = subject.binding.stray[:_MOST_EXPLAINED]
    meant: set[Path] = {path for stray in strays for path in meant_paths(stray)}
    meant |= {(*stray.path[:-1], near) for stray in strays if (near := _nearest_key(subject, stray)) is not None}
    for absent in subject.binding.absent:
        if absent.path in meant:
            continue
        where = section_name(absent.path[:-1])
        message = f"{where} needs the key `{absent.key.name}`."
        yield this.at(message, _absence_place(subject, absent), fixes=_insertions(subject, absent))


def _explain_unknown(subject: Subject, stray: StrayKey) -> tuple[str, list[Fix]]:
    name = stray.entry.name
    start = _not_a_key(stray)
    near = _nearest_key(subject, stray)
    if near is not None and any(absent.path == (*stray.path[:-1], near) for absent in subject.binding.absent):
        fix = rename(subject.document, stray, stray.section.keys[near])
        return f"{start}; did you mean `{near}`?", [] if fix is None else [fix]
    in_full = key_at(tuple(name.split("."))) if "." in name else None
    found = homes(name) if in_full is None else [(name, in_full)]
    if not found and near is None and (known := without_equivalent(name)) is not None:
        reason = known.because[0].lower() + known.because[1:]
        return f"`{name}` is a key of {known.tool} and has no equivalent here: {reason}", _deletion(subject, stray)
    if not found and near is None:
        elsewhere = nearest(name, [key.name for _, key in walk()], likeness=_LIKE_ENOUGH_ELSEWHERE)
        found = homes(elsewhere) if elsewhere is not None else []
    if near is not None and not found:
        key = stray.section.keys[near]
        fix = rename(subject.document, stray, key)
        # To delete what was meant for a key that is not there would leave the default in its place.
        fixes = [fix] if fix is not None else []
        fixes += removal(subject.document, stray) if has_key(stray.mapping, near) else []
        return f"{start}; did you mean `{near}`?{'' if fixes else _unfit(stray, key)}", fixes
    if found:
        names = " or ".join(f"{place_name(path)}" for path, _ in found)
        spelled = found[0][1].name
        belongs = f"`{spelled}` belongs in {names}" if spelled != name else f"it belongs in {names}"
        fixes = [fix for path, key in _likely(subject, found) for fix in _relocations(subject, stray, path, key)]
        return f"{start}; {belongs}.", [*fixes, *_deletion(subject, stray)]
    return f"{start}.", _deletion(subject, stray)


def _nearest_key(subject: Subject, stray: StrayKey) -> str | None:
    """Return the key of its section that a stray one most likely means: one that is spelt alike and takes its value.

    Where none is spelt alike, a text is most likely meant for the one key that the section must have and lacks.
    """
    name, keys = stray.entry.name, stray.section.keys
    near = nearest(name, list(keys))
    if near is None and isinstance(stray.entry.value, Scalar):
        lacking = [absent.key for absent in subject.binding.absent if absent.path[:-1] == stray.path[:-1]]
        return lacking[0].name if len(lacking) == 1 and fits(lacking[0], stray.entry.value) else None
    if near is None or fits(keys[near], stray.entry.value):
        return near
    begun = [other for other in keys if other.startswith(name) and fits(keys[other], stray.entry.value)]
    return begun[0] if len(begun) == 1 else near


def _likely(subject: Subject, found: list[tuple[str, Key]]) -> list[tuple[str, Key]]:
    """Return the homes of a key to which it may be moved.

    A key without a default of its own, such as `evaluation.batch_size`, is written seldom: it is not offered where the
    usual home has the key already. Nor is a home in which the key would mean nothing, or contradict another.
    """
    usual = [(path, key) for path, key in found if key.default is not None]
    if any(subject.binding.at(tuple(path.split("."))) for path, _ in usual if "[]" not in path):
        found = usual
    # Beside datasets of its own, no share is held out for the evaluation.
    unfit = "evaluation.split" if subject.binding.at(("evaluation", "datasets")) is not None else None
    return [(path, key) for path, key in found if path != unfit and not is_idle(subject, path)]


def _unfit(stray: StrayKey, key: Key) -> str:
    """Say what a key takes where the value of the one that was meant for it is not that, which is a second fault."""
    is_fault = key.section is None and bool(faults(key, stray.entry.value))
    return f" It takes {expectation(key)}." if is_fault else ""


def _stands_again(subject: Subject, stray: StrayKey) -> bool:
    """Tell whether a key stands a second time, so that to repair the first would only uncover the other."""
    return any(repeated.path == stray.path for repeated in subject.binding.repeated)


def _not_a_key(stray: StrayKey) -> str:
    name = stray.entry.name
    unusual = "" if name.isascii() else f", with {unusual_character(name)} in it,"
    return f"`{shorten(name)}`{unusual} is not a key of {section_name(stray.path[:-1]).lower()}"


def _relocations(subject: Subject, stray: StrayKey, path: str, key: Key) -> list[Fix]:
    if same_section(stray, path):
        fix = rename(subject.document, stray, key)
    else:
        fix = move(subject.document, stray, path, key)
    return [] if fix is None else [fix]


def _deletion(subject: Subject, stray: StrayKey) -> list[Fix]:
    meant = set(meant_paths(stray))
    if any(absent.path in meant for absent in subject.binding.absent):  # deleting it would only uncover that
        return []
    return list(removal(subject.document, stray))


def _mapping_of(subject: Subject, path: tuple[str | int, ...]) -> Mapping | None:
    place = subject.document.find(path)
    mapping = None if place is None or place.via is not None else target(place.value)
    return mapping if isinstance(mapping, Mapping) else None


def _absence_place(subject: Subject, absent: AbsentKey) -> Range:
    """Return the key that holds the incomplete section; for the root and for list entries, their first key."""
    document = subject.document
    in_list = len(absent.path) > 1 and isinstance(absent.path[-2], int)
    if absent.holder is not None and (not in_list or absent.holder.via is not None):
        return key_place(document, absent.holder.entry, absent.holder.via)[0]
    if absent.mapping is not None and absent.mapping.entries:
        return document.range(absent.mapping.entries[0].key)
    if absent.mapping is not None:
        return document.range(absent.mapping)
    start = Position(line=0, character=0)
    return Range(start=start, end=start)


def _insertions(subject: Subject, absent: AbsentKey) -> list[Fix]:
    text = _example(subject, absent.key)
    if text is None or (absent.holder is not None and absent.holder.via is not None):
        return []
    document = subject.document
    if len(absent.path) == 1:
        edit = insert_root_key(document, text, first=absent.key.name == "version")
    else:
        edit = None if absent.mapping is None else insert_key(document, absent.mapping, text)
    return [] if edit is None else [Fix(title=f"Insert `{dotted(absent.path)}`", edits=[edit])]


def _example(subject: Subject, key: Key) -> str | None:
    """Return a key with a value that has no finding, None when none can be known."""
    if key.section is not None:
        inner = [_example(subject, below) for below in key.section.keys.values() if below.required]
        if not inner or any(text is None for text in inner):
            return None
        dash, indent = ("- ", "    ") if key.is_list else ("", "  ")
        return f"{key.name}:\n  {dash}" + f"\n{indent}".join(text for text in inner if text is not None)
    if key.choices:
        return f"{key.name}: {written(key.choices[0])}"
    example = subject.context.data_files[0] if key.name == "path" and subject.context.data_files else None
    if example is None and (key.name != "path" or subject.context.folder is None):
        example = next(iter(key.examples), None)
    return None if example is None else f"{key.name}: {written(example)}"
