"""Whether a value is what its key takes, and the nearest value that is. Pure words; no document is needed."""

import difflib
import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from peft_daemon.language.rules.secrets import masked
from peft_daemon.language.rules.wordings import number_of, plainly, truth_of
from peft_engine.bounds import Limit
from peft_engine.config.foreign import foreign_words
from peft_engine.config.nodes import Mapping, Node, Scalar, Sequence, effective_entries, target
from peft_engine.config.scalars import plain_value
from peft_engine.config.schema import Key, Section, number_text

FaultKind = Literal["nothing", "type", "choice", "range", "pattern", "empty"]

_SAFE_PLAIN = re.compile(r"[A-Za-z0-9_./~-][A-Za-z0-9_./+~ @-]*")
_POWER_OF_TWO = 1024
"""What `k` means where lengths are usually powers of two."""

_SHORTEST = 3
"""Letters that a name's beginning must have to mean the name."""

_NAMES = {
    "text": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "`true` or `false`",
    "list of texts": "a list of texts",
}


@dataclass(frozen=True)
class Fault:
    """Why a value is refused."""

    kind: FaultKind
    node: Node
    """The narrowest part that is at fault."""


@dataclass(frozen=True)
class Repair:
    """A text to write instead."""

    title: str
    text: str
    is_default: bool = False
    """Whether it is the language's default, for want of a nearer value."""


def faults(key: Key, node: Node) -> list[Fault]:
    """Return why a value is refused, part by part; nothing when it is taken or cannot be known."""
    value = target(node)
    if value is None:
        return []
    if isinstance(value, Scalar):
        kind = judge_plain(key, value.value)
        return [] if kind is None else [Fault(kind, node)]
    if isinstance(value, Sequence) and "list of texts" in key.types:
        return [Fault("type", item) for item in value.items if not _is_text(item)]
    return [Fault("type", node)]


def judge_plain(key: Key, value: Any) -> FaultKind | None:
    """Return why a scalar value is refused, None when it is taken."""
    if value is None:
        return None if key.nullable else "nothing"
    if not _has_type(key, value):
        return "type"
    if key.choices and value not in key.choices:
        return "choice"
    if isinstance(value, int | float) and not key.bounds.contain(value):
        return "range"
    if key.is_cadence and isinstance(value, float) and value >= 1:
        return "type"
    if isinstance(value, str) and len(value) < key.min_length:
        return "empty"
    if isinstance(value, str) and key.pattern is not None and not re.fullmatch(key.pattern.rstrip("$"), value):
        return "pattern"
    return None


def fits(key: Key, node: Node) -> bool:
    """Tell whether a value could stand under a key without any finding."""
    if key.section is None:
        return not faults(key, node)
    value = target(node)
    if key.is_list:
        return (
            isinstance(value, Sequence)
            and bool(value.items)
            and all(_fits_section(key.section, item) for item in value.items)
        )
    return _fits_section(key.section, node)


def expectation(key: Key) -> str:
    """Say what a key takes: `a whole number, at least 1 and at most 1024`."""
    if key.choices:
        return (
            "one of " + ", ".join(f"`{choice}`" for choice in key.choices)
            if len(key.choices) > 1
            else (f"`{key.choices[0]}`")
        )
    if key.is_cadence:
        return "a whole number of steps, or below 1 a share of all steps"
    kinds = " or ".join(_NAMES[kind] for kind in key.types)
    bounds = str(key.bounds)
    return f"{kinds}, {bounds}" if bounds else kinds


def describe(node: Node) -> str:
    """Say what a written value is: `the text "abc"`."""
    value = target(node)
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, Sequence):
        return "a list"
    if value is None or value.value is None:
        return "nothing"
    if isinstance(value.value, bool):
        return f"`{json.dumps(value.value)}`"
    if isinstance(value.value, int | float):
        return f"the number {shorten(value.raw)}"
    return f"the text `{shorten(value.value)}`"


def repair(key: Key, value: Any, limit: Limit | None = None) -> Repair | None:
    """Return the nearest value that a key takes, None when there is none to name.

    Args:
        key: The key.
        value: What it does not take.
        limit: What is advised for the key, so that the nearest number is one without any remark.
    """
    converted = _converted(key, value)
    if converted is not None and judge_plain(key, converted) is None:
        text = written(converted)
        return Repair(f"Write `{text}`", text)
    if choice := _meant_choice(key, value):
        return Repair(f"Change to `{choice}`", choice)
    number = converted if converted is not None else value
    if isinstance(number, int | float) and not isinstance(number, bool) and not math.isnan(number):
        bounds = key.bounds
        for bound, beyond in ((bounds.ge, number < (bounds.ge or 0)), (bounds.le, number > (bounds.le or 0))):
            if bound is not None and beyond and judge_plain(key, _as_type(key, bound)) is None:
                if limit is not None and (advised := limit.nearest(bound)) != bound:
                    return Repair(f"Set to {number_text(advised)}, the nearest advised value", number_text(advised))
                return Repair(f"Set to {number_text(bound)}, the nearest allowed value", number_text(bound))
    if key.default is not None or key.nullable:
        text = written(key.default)
        return Repair(f"Set to the default, `{text}`", text, is_default=True)
    if len(key.choices) == 1:
        return Repair(f"Set to `{key.choices[0]}`", written(key.choices[0]))
    return None


def nearest(name: str, candidates: Iterable[str], *, likeness: float = 0.65) -> str | None:
    """Return the candidate that a misspelt or shortened name most likely means, None when none is near.

    Args:
        name: What is written.
        candidates: What it may mean.
        likeness: How near it must be, from 0 to 1; the more candidates there are, the nearer.
    """
    # Several rules ask about the same key, and again at each keystroke elsewhere.
    return _nearest(name, tuple(candidates), likeness)


@lru_cache(maxsize=256)
def _nearest(name: str, candidates: tuple[str, ...], likeness: float) -> str | None:
    folded = {_fold(candidate): candidate for candidate in candidates}
    short = _fold(name)
    match = difflib.get_close_matches(short, list(folded), n=1, cutoff=likeness)
    if match:
        return folded[match[0]]
    begun = [candidate for candidate in folded if candidate.startswith(short)] if len(short) >= _SHORTEST else []
    return folded[begun[0]] if len(begun) == 1 else None


def written(value: Any) -> str:
    """Write a plain value or a list of them as YAML that reads back as the same value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number_text(value)
    if value is None:
        return "null"
    if isinstance(value, list):
        return "[" + ", ".join(written(item) for item in value) + "]"
    text = str(value)
    safe = _SAFE_PLAIN.fullmatch(text) and plain_value(text) == text and not text.endswith(" ")
    return text if safe else json.dumps(text, ensure_ascii=False)


def shorten(text: str, limit: int = 40) -> str:
    """Cut a long text for a message, keep it on one line, and hide secrets."""
    line = masked(" ".join(text.split()))
    return line if len(line) <= limit else line[: limit - 1] + "…"


def is_share_of_warmup(path: tuple[str | int, ...], node: Node) -> bool:
    """Tell whether a share such as `0.1` stands where warm-up steps belong, which has a rule of its own."""
    value = target(node)
    share = value.value if isinstance(value, Scalar) else None
    return path == ("training", "warmup_steps") and isinstance(share, float) and 0 < share < 1


def _is_text(node: Node) -> bool:
    value = target(node)
    return value is None or (isinstance(value, Scalar) and isinstance(value.value, str))


def _fits_section(section: Section, node: Node) -> bool:
    mapping = target(node)
    if not isinstance(mapping, Mapping):
        return False
    names: set[str] = set()
    for effective in effective_entries(mapping):
        key = section.keys.get(effective.entry.name)
        if key is None or key.name in names or not fits(key, effective.entry.value):
            return False
        names.add(key.name)
    return all(key.name in names for key in section.keys.values() if key.required)


def _meant_choice(key: Key, value: Any) -> str | None:
    """Return the choice that a value means, in another tool's words or misspelt."""
    if not key.choices or value is None:
        return None
    word = plainly(str(value))
    words = foreign_words().get(key.name, {})
    # Words are of a key's name, and two sections may have keys of one name.
    if word.lower() in words and words[word.lower()] in (None, *key.choices):
        return words[word.lower()]
    return nearest(word, [str(choice) for choice in key.choices]) if isinstance(value, str) else None


def _has_type(key: Key, value: Any) -> bool:
    return any(
        (kind == "text" and isinstance(value, str))
        or (kind == "boolean" and isinstance(value, bool))
        or (kind == "integer" and isinstance(value, int) and not isinstance(value, bool))
        or (kind == "number" and isinstance(value, int | float) and not isinstance(value, bool))
        for kind in key.types
    )


def _converted(key: Key, value: Any) -> Any:
    """Return a value as the type that its key takes, None when that is not plain."""
    if value is None:
        return None
    text = str(value)
    if "boolean" in key.types and not isinstance(value, float):
        truth = truth_of(text)
        meant = nearest(text, ("true", "false")) if truth is None and isinstance(value, str) else None
        return truth if meant is None else meant == "true"
    if isinstance(value, bool):
        return None
    if "integer" in key.types or "number" in key.types:
        thousand = _POWER_OF_TWO if key.name == "max_length" else 1000
        whole = "number" not in key.types
        number = number_of(text, whole=whole, thousand=thousand) if isinstance(value, str) else value
        return None if number is None else _as_type(key, number)
    return None


def _as_type(key: Key, number: float) -> float:
    whole = "integer" in key.types or (key.is_cadence and number >= 1)
    return round(number) if whole and math.isfinite(number) else number


def _fold(name: str) -> str:
    return re.sub(r"[-_ .]", "", plainly(name)).lower()
