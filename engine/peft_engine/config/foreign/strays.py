"""Foreign keys without an equivalent: each is reported, with the reason or with the nearest name."""

import difflib
import re
from typing import Any

from peft_engine.config.foreign.draft import ABSENT, IDLE, UNKNOWN, UNUSABLE, Draft
from peft_engine.config.foreign.source import Leaf
from peft_engine.config.foreign.tables import Absent
from peft_schemas.findings import Finding, Severity


def report_strays(draft: Draft) -> None:
    """Report every value of which nothing has become so far."""
    absent = {key: group for group in draft.table.absent for key in group.keys}
    known = draft.table.known_paths()
    stray: dict[str, list[Leaf]] = {}
    for leaf in draft.source.leaves.values():
        if not draft.is_accounted_for(leaf):
            stray.setdefault(_subject(draft, leaf, absent, known), []).append(leaf)
    for path, leaves in stray.items():
        pattern = _pattern(path)
        group = absent.get(pattern) or _group_above(pattern, absent)
        if group is not None and (pattern in absent or _near(pattern, known, cutoff=0.85) is None):
            _report_absent(draft, path, leaves, group)
        elif pattern in known:
            _report_each(draft, leaves)
        elif _leads_to(pattern, known):
            _report_shape(draft, path, leaves, known)
        else:
            _report_unknown(draft, path, leaves, known)


def _report_absent(draft: Draft, path: str, leaves: list[Leaf], group: Absent) -> None:
    name = _name(path)
    if all(_is_idle(leaf, group) for leaf in leaves):
        empty = all(leaf.value is None for leaf in leaves)
        why = "is empty" if empty else "asks for nothing that is not so anyway"
        _report(draft, IDLE, "hint", f"`{name}` {why}, so it is left out.", path, leaves)
    else:
        _report(draft, ABSENT, group.severity, f"`{name}` is left out. {group.because}", path, leaves)


def _report_each(draft: Draft, leaves: list[Leaf]) -> None:
    """Report values that are known and were of no use in this combination of keys."""
    for leaf in leaves:
        if leaf.value is None:
            draft.report(IDLE, "hint", f"`{leaf.name}` is empty, so it is left out.", leaf, "key")
        else:
            draft.leave_out(leaf, "It has no effect beside the other keys of this file.", "information")


def _report_shape(draft: Draft, path: str, leaves: list[Leaf], known: frozenset[str]) -> None:
    """Report a section that is known and is empty, or something else than a section."""
    name = _name(path)
    if all(leaf.value in (None, [], {}) for leaf in leaves):
        _report(draft, IDLE, "hint", f"`{name}` is empty, so it is left out.", path, leaves)
        return
    expected = "a list of sections" if _leads_on(_pattern(path), "[]", known) else "a section"
    message = f"{draft.table.title} takes {expected} for `{name}`, and this is none. It is left out."
    _report(draft, UNUSABLE, "error", message, path, leaves)


def _report_unknown(draft: Draft, path: str, leaves: list[Leaf], known: frozenset[str]) -> None:
    near = _near(_pattern(path), known)
    meant = "." if near is None else f"; did you mean `{near}`?"
    message = f"{draft.table.title} knows no `{_name(path)}`{meant} It is left out."
    _report(draft, UNKNOWN, "warning", message, path, leaves)


def _near(pattern: str, known: frozenset[str], *, cutoff: float = 0.75) -> str | None:
    """Return the key beside it that a key was most likely meant to be."""
    parent = pattern.rpartition(".")[0]
    beside = {other.rpartition(".")[2] for other in known if other.rpartition(".")[0] == parent}
    return next(iter(difflib.get_close_matches(_name(pattern), sorted(beside), n=1, cutoff=cutoff)), None)


def _report(draft: Draft, code: str, severity: Severity, message: str, path: str, leaves: list[Leaf]) -> None:
    """Report a key, or a section from its key to the end of its last value."""
    if len(leaves) == 1 and leaves[0].path == path:
        draft.report(code, severity, message, leaves[0], "key")
        return
    document = draft.source.document
    place = document.source.range(*draft.source.span(path))
    draft.findings.append(Finding(code=code, severity=severity, message=message, range=place))


def _subject(draft: Draft, leaf: Leaf, absent: dict[str, Absent], known: frozenset[str]) -> str:
    """Return what a leaf's report is about.

    That is the section that has no equivalent as a whole, the section that the tool does not know or that should be a
    list of them, or the leaf alone.
    """
    parts = leaf.path.split(".")
    paths = [".".join(parts[:length]) for length in range(1, len(parts) + 1)]
    for whole in paths:
        bare = re.sub(r"\[\d+\]$", "", whole)
        below = "[]" if bare != whole else "." if whole != leaf.path else ""
        other = "." if below == "[]" else "[]"
        if below and _leads_on(_pattern(bare), other, known) and not _leads_on(_pattern(bare), below, known):
            return bare
    for path in [candidate for whole in paths for candidate in (re.sub(r"\[\d+\]$", "", whole), whole)]:
        if not _leads_to(_pattern(path), known) and _group_above(_pattern(path), absent) is None:
            return path
        if _pattern(path) in absent and not any(map(draft.is_accounted_for, draft.source.below(path))):
            return path
    return leaf.path


def _group_above(pattern: str, absent: dict[str, Absent]) -> Absent | None:
    """Return the group of the nearest section above a key that is said to have no equivalent."""
    while "." in pattern:
        pattern = pattern.rpartition(".")[0]
        if group := absent.get(pattern) or absent.get(pattern.removesuffix("[]")):
            return group
    return None


def _leads_to(pattern: str, known: frozenset[str]) -> bool:
    return pattern in known or any(path.startswith((f"{pattern}.", f"{pattern}[")) for path in known)


def _leads_on(pattern: str, how: str, known: frozenset[str]) -> bool:
    """Tell whether keys are known below a section (`.`), or below the entries of a list (`[]`)."""
    return any(path.startswith(f"{pattern}{how}") for path in known)


def _is_idle(leaf: Leaf, group: Absent) -> bool:
    usual = group.usual.get(leaf.name, None)
    return _among(leaf.value, group.idle) or (usual is not None and _among(leaf.value, [usual]))


def _among(value: Any, values: list[Any]) -> bool:
    """Tell whether a value is one of several; `False` is not 0 here."""
    return any(value == other and isinstance(value, bool) == isinstance(other, bool) for other in values)


def _pattern(path: str) -> str:
    return re.sub(r"\[\d+\]", "[]", path)


def _name(path: str) -> str:
    return path.rpartition(".")[2]
