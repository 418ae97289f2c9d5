"""Foreign keys without an equivalent: each is reported, with the reason or with the nearest name."""

import difflib
import re
from typing import Any

from peft_engine.config.foreign.draft import ABSENT, IDLE, UNKNOWN, Draft
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
            stray.setdefault(_highest(leaf, absent, known), []).append(leaf)
    for path, leaves in stray.items():
        group = absent.get(_pattern(path))
        if group is not None:
            _report_absent(draft, path, leaves, group)
        elif _pattern(path) in known:
            _report_each(draft, leaves)
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


def _report_unknown(draft: Draft, path: str, leaves: list[Leaf], known: frozenset[str]) -> None:
    name, parent = _name(path), _pattern(path).rpartition(".")[0]
    beside = {other.rpartition(".")[2] for other in known if other.rpartition(".")[0] == parent}
    near = difflib.get_close_matches(name, sorted(beside), n=1, cutoff=0.7)
    meant = f"; did you mean `{near[0]}`?" if near else "."
    _report(draft, UNKNOWN, "warning", f"{draft.table.title} knows no `{name}`{meant} It is left out.", path, leaves)


def _report(draft: Draft, code: str, severity: Severity, message: str, path: str, leaves: list[Leaf]) -> None:
    """Report a key, or a section from its key to the end of its last value."""
    if len(leaves) == 1 and leaves[0].path == path:
        draft.report(code, severity, message, leaves[0], "key")
        return
    document = draft.source.document
    place = document.source.range(*draft.source.span(path))
    draft.findings.append(Finding(code=code, severity=severity, message=message, range=place))


def _highest(leaf: Leaf, absent: dict[str, Absent], known: frozenset[str]) -> str:
    """Return the nearest to the root of what a leaf's report can be about: an absent section, an unknown one, itself."""
    parts = leaf.path.split(".")
    for length in range(1, len(parts) + 1):
        path = ".".join(parts[:length])
        for candidate in (re.sub(r"\[\d+\]$", "", path), path):
            if _pattern(candidate) in absent or not _leads_to(_pattern(candidate), known):
                return candidate
    return leaf.path


def _leads_to(pattern: str, known: frozenset[str]) -> bool:
    return pattern in known or any(path.startswith((f"{pattern}.", f"{pattern}[")) for path in known)


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
