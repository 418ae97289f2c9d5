"""Foreign values as ours: one function for each `read` of the tables, and the conversion to a key's type."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from peft_engine.config.foreign.draft import UNUSABLE, Draft
from peft_engine.config.foreign.source import Leaf, text_as_number
from peft_engine.config.foreign.tables import KeyRule, Reading, load_words
from peft_engine.config.resolve import clean_name
from peft_engine.config.schema import Key, key_at

NO_CLIPPING = 1_000_000
"""A gradient norm that no gradient reaches: the way to say that nothing is scaled down."""

AT_THE_END = 0.9999
"""A share of the run that is its last step: the way to say that something happens once, at the end."""

LONGEST = 8192
"""Tokens at which examples are cut where a tool cuts none, for there is no way to say that here."""

_TRUE, _FALSE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}


def carry(draft: Draft, leaf: Leaf, rule: KeyRule) -> None:
    """Set our value from a foreign one that stands for itself."""
    if leaf.value is None and rule.empty is not None:
        leaf = replace(leaf, value=rule.empty)
    if leaf.value is None:
        draft.confirm(leaf)
        return
    if rule.words is not None:
        translate_word(draft, leaf, rule.to, rule.words)
        return
    _READINGS[rule.read](draft, leaf, rule.to)


def translate_word(draft: Draft, leaf: Leaf, path: str, words: str) -> None:
    """Set a value that is one of a list of words; of one that has no equivalent the key here stays unset."""
    key = _key(path)
    word = str(leaf.value).strip().lower()
    meaning = load_words(words).get(word)
    if meaning is None and word in key.choices:
        draft.put(path, word, leaf)
    elif meaning is None:
        choices = ", ".join(f"`{choice}`" for choice in key.choices)
        draft.leave_out(leaf, f"`{leaf.value}` has no equivalent; here there is {choices}.")
    else:
        draft.put(path, meaning.value, leaf, note=None if meaning.but is None else f"was {leaf.value}")
        if meaning.but is not None:
            draft.change(leaf, f"`{leaf.value}` became `{meaning.value}`: {meaning.but}.", "warning")


def whole(draft: Draft, leaf: Leaf | None, default: int | None = None) -> int | None:
    """Return a whole number, and say so where the value is none."""
    if leaf is None or leaf.value is None:
        return default
    number = text_as_number(leaf.value) if isinstance(leaf.value, str) else leaf.value
    if isinstance(number, bool) or not isinstance(number, int | float) or number != int(number):
        refuse(draft, leaf, "a whole number")
        return default
    return int(number)


def number_of(draft: Draft, leaf: Leaf | None) -> float | None:
    """Return a number, None where there is none, and say so where the value is something else."""
    if leaf is None or leaf.value is None:
        return None
    number = text_as_number(leaf.value) if isinstance(leaf.value, str) else leaf.value
    if isinstance(number, bool) or not isinstance(number, int | float):
        refuse(draft, leaf, "a number")
        return None
    return number


def truth(leaf: Leaf | None, default: bool = False) -> bool:
    """Return whether a switch is on; words and numbers count as the tools take them."""
    if leaf is None or leaf.value is None:
        return default
    if isinstance(leaf.value, str):
        return leaf.value.strip().lower() in _TRUE
    return bool(leaf.value)


def switched_on(draft: Draft, *paths: str) -> Leaf | None:
    """Return the first of several switches that is on, else the first that says anything."""
    leaves = [leaf for path in paths if (leaf := draft.get(path)) is not None and leaf.value is not None]
    return next((leaf for leaf in leaves if truth(leaf) or isinstance(leaf.value, str)), next(iter(leaves), None))


def put_length(draft: Draft, leaf: Leaf | None) -> None:
    """Set the longest example, of a tool that cuts nothing where none is written."""
    cut = whole(draft, leaf)
    draft.confirm(leaf)
    if cut:
        draft.put("training.max_length", cut, leaf)
        return
    title = draft.table.title
    draft.put("training.max_length", LONGEST, leaf, note=f"{title} cuts nothing")
    draft.change(leaf, f"{title} then cuts no example; here they are cut at {LONGEST} tokens.", "warning")


def texts(value: Any) -> list[str]:
    """Return a list of texts, which some tools write as one text with commas."""
    if value is None:
        return []
    if isinstance(value, list):
        return [str(item).strip() for item in value if item is not None]
    return [part.strip() for part in str(value).split(",") if part.strip()]


def refuse(draft: Draft, leaf: Leaf, expected: str) -> None:
    """Say that a value cannot be used."""
    shown = str(leaf.value)[:60]
    draft.report(UNUSABLE, "error", f"`{leaf.name}` takes {expected}, not `{shown}`; it is left out.", leaf)


def _value(draft: Draft, leaf: Leaf, path: str) -> None:
    key = _key(path)
    value = leaf.value
    if "boolean" in key.types:
        if not isinstance(value, bool) and str(value).strip().lower() not in _TRUE | _FALSE:
            refuse(draft, leaf, "true or false")
            return
        value = truth(leaf)
    elif "list of texts" in key.types and "text" not in key.types:
        value = texts(value)
    elif "integer" in key.types:
        value = whole(draft, leaf)
    elif "number" in key.types:
        value = number_of(draft, leaf)
    elif not isinstance(value, list | dict):
        value = str(value)
    if value is None:
        return
    if isinstance(leaf.value, str) and not isinstance(value, str | list) and leaf.doubt is None:
        draft.change(leaf, f"The text `{leaf.value}` became the value {value}.", "hint")
    draft.put(path, value, leaf)


def _inverted(draft: Draft, leaf: Leaf, path: str) -> None:
    draft.put(path, not truth(leaf), leaf)


def _positive(draft: Draft, leaf: Leaf, path: str) -> None:
    """A count for which zero and -1 mean that there is none."""
    number = whole(draft, leaf)
    if number is not None and number > 0:
        draft.put(path, number, leaf)
    else:
        draft.confirm(leaf)


def _steps(draft: Draft, leaf: Leaf, path: str) -> None:
    """Steps that may be a share of the run when they are below 1, for a key here that counts whole ones."""
    number = number_of(draft, leaf)
    if number is None:
        return
    if 0 < number < 1:
        draft.leave_out(leaf, f"{number} is a share of the run, and the key here counts steps.")
    else:
        draft.put(path, max(int(number), 1), leaf)


def _length(draft: Draft, leaf: Leaf, _path: str) -> None:
    """A number of tokens of which none means that nothing is cut."""
    put_length(draft, leaf)


def _clip(draft: Draft, leaf: Leaf, path: str) -> None:
    """A gradient norm of which zero means that nothing is clipped."""
    number = number_of(draft, leaf)
    if number is None:
        return
    draft.put(path, number or NO_CLIPPING, leaf, note=None if number else "no clipping")


def _count(draft: Draft, leaf: Leaf, path: str) -> None:
    """A number of checkpoints to keep, of which zero means all."""
    number = whole(draft, leaf)
    if number is not None and number > 0:
        draft.put(path, min(number, 1000), leaf)
    else:
        draft.confirm(leaf)


def _name(draft: Draft, leaf: Leaf, path: str) -> None:
    name = clean_name(str(leaf.value))
    if not name or not re.match(r"[A-Za-z0-9]", name):
        draft.leave_out(leaf, "Nothing of it can stand in a run's name.")
        return
    draft.put(path, name, leaf)
    if name != leaf.value:
        draft.change(leaf, f"A run's name has letters, digits, dots and dashes only, so it is `{name}`.")


_READINGS: dict[Reading, Callable[[Draft, Leaf, str], None]] = {
    "value": _value,
    "inverted": _inverted,
    "positive": _positive,
    "steps": _steps,
    "length": _length,
    "clip": _clip,
    "count": _count,
    "name": _name,
}


def _key(path: str) -> Key:
    key = key_at(tuple(part.partition("[")[0] for part in path.split(".")))
    assert key is not None, path  # noqa: S101  (the tables are checked against the language as they are read)
    return key
