"""The text of a translated config, with the comments of the foreign file where they apply."""

import re
from typing import Any

from peft_engine.config.foreign.draft import Draft
from peft_engine.config.foreign.source import Leaf
from peft_engine.config.schema import Section, language
from peft_engine.config.write import HEAD, TAIL, Comment, to_yaml


def text_of(draft: Draft) -> str:
    """Return the text of the config that a draft has settled on."""
    return to_yaml(values_of(draft), _comments(draft))


def values_of(draft: Draft, *, without_gaps: bool = False) -> dict[str, Any]:
    """Return the settled values in the order of the language.

    Args:
        draft: The translation.
        without_gaps: Put a text where a value is still to be filled in, so that the rest can be validated.
    """
    flat = {path: setting.value for path, setting in draft.settings.items()}
    if without_gaps:
        flat = {path: "-" if value is None else value for path, value in flat.items()}
    return {"version": 1, **_section(language(), "", flat)}


def _section(section: Section, path: str, flat: dict[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key in section.keys.values():
        here = f"{path}.{key.name}" if path else key.name
        if key.section is None:
            if here in flat:
                values[key.name] = flat[here]
        elif key.is_list:
            entries = (_section(key.section, f"{here}[{index}]", flat) for index in range(_length(here, flat)))
            if items := [entry for entry in entries if entry]:
                values[key.name] = items
        elif inner := _section(key.section, here, flat):
            values[key.name] = inner
    return values


def _length(path: str, flat: dict[str, Any]) -> int:
    found = (re.match(re.escape(path) + r"\[(\d+)\]", other) for other in flat)
    return max((int(match[1]) for match in found if match), default=-1) + 1


def _comments(draft: Draft) -> dict[str, Comment]:
    source = draft.source.document.source
    above: dict[str, list[str]] = {}
    beside: dict[str, list[str]] = {}
    for start, end in sorted(draft.source.document.comments):
        text = source.text[start:end].rstrip()
        line = source.line_of(start)
        if source.text[source.line_start(line) : start].strip():
            leaf = _leaf_on(draft, line)
            places = beside
        else:
            leaf = _leaf_below(draft, start, of_any=not text.startswith("##"))
            places = above
            if draft.source.document.root is not None and start < draft.source.document.root.start:
                above.setdefault(HEAD, []).append(text)
                continue
        target = None if leaf is None else _target_of(draft, leaf)
        if target is not None:
            places.setdefault(target, []).append(text)
        else:
            said = text if leaf is None else f"# {leaf.path}: {text.lstrip('# ')}"
            above.setdefault(TAIL, []).append(said)
    for path, setting in draft.settings.items():
        if setting.note is not None:
            beside.setdefault(path, []).append(f"# {setting.note}")
    return {
        path: Comment(tuple(above.get(path, ())), "  ".join(beside.get(path, ()))) for path in sorted({*above, *beside})
    }


def _leaf_on(draft: Draft, line: int) -> Leaf | None:
    """Return the leaf that a comment behind a value is about; behind a section's key, the first below."""
    source = draft.source.document.source
    for leaf in draft.source.leaves.values():
        if source.line_of(_start(leaf)) <= line <= source.line_of(max(leaf.node.end, _start(leaf))):
            return leaf
    return _leaf_below(draft, source.line_start(line), of_any=True)


def _leaf_below(draft: Draft, offset: int, *, of_any: bool) -> Leaf | None:
    """Return the leaf that a comment above a key is about; a heading is about the first that is carried over."""
    following = [
        leaf
        for leaf in draft.source.leaves.values()
        if _start(leaf) > offset and (of_any or _target_of(draft, leaf) is not None)
    ]
    return min(following, key=_start, default=None)


def _target_of(draft: Draft, leaf: Leaf) -> str | None:
    return next((path for path in draft.record.get(leaf.path, ()) if path in draft.settings), None)


def _start(leaf: Leaf) -> int:
    return (leaf.key or leaf.node).start
