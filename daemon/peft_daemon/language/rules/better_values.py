"""What a value that its key does not take is to be instead, and the fix that writes it."""

import re

from peft_daemon.language.binding import BoundKey
from peft_daemon.language.rules.edits import delete_entry, has_entry, replace_span
from peft_daemon.language.rules.idle import is_idle
from peft_daemon.language.rules.places import dotted
from peft_daemon.language.rules.subject import Subject
from peft_daemon.language.rules.values import Fault, Repair, judge_plain, repair, shorten, written
from peft_engine.bounds import bounds
from peft_engine.config.document import Path
from peft_engine.config.nodes import Alias, Mapping, Scalar, plain, target
from peft_engine.config.scalars import plain_value
from peft_engine.config.schema import Key
from peft_schemas.findings import Fix

DEFAULTS_OF_THE_METHOD = ("training.learning_rate", "method.alpha")
"""Keys whose default is computed: to write the language's own in their place could contradict the method."""

_IDLE_WITHOUT: dict[Path, tuple[str, ...]] = {
    ("schedule", "window"): ("at_close",),
    ("evaluation", "split"): ("every_steps", "batch_size"),
}
"""Keys whose default asks for nothing, and what then has no effect."""

_STUCK_COMMENT = re.compile(r"([^\s#/]+)\s*(?:#|//)\s*(.+)")


def better_value(subject: Subject, bound: BoundKey, fault: Fault, text: str | None = None) -> list[Fix]:
    """Return the fix of a value, none where no better one can be named or where it is not this key's alone.

    Args:
        subject: What is judged.
        bound: The key.
        fault: What is wrong with its value, or with a part of that.
        text: What is to stand there, where the rule knows that.
    """
    node, path = fault.node, dotted(bound.path)
    # A value that came by an alias, or that others may refer to, is not this key's alone to change.
    if bound.via is not None or isinstance(node, Alias) or not isinstance(node, Scalar) or node.tag is not None:
        return []
    if (loose := _with_comment(bound.key, node)) is not None:
        return _write(subject, node, f"Write `{shorten(loose)}`", loose)
    if text is not None:
        return _write(subject, node, f"Change to `{text}`", text)
    if node is not bound.entry.value or _lacks_quotes(bound.key, node):
        return _write(subject, node, "Put it in quotes", written(node.raw)) if node.value is not None else []
    if is_idle(subject, path):
        return without(subject, bound, f"Delete `{bound.key.name}`, to get the default")
    if fault.kind == "range" and _means_off(bound.key, node):
        return without(subject, bound, f"Delete `{bound.key.name}`, which turns it off")
    if fault.kind == "range" and path == "method.alpha":
        return without(subject, bound, "Delete `alpha`, whose default follows from the rank")
    if fault.kind == "range" and path == "method.r":
        found: Repair | None = _usual_rank(subject, bound.key)
    else:
        found = repair(bound.key, node.value, bounds().limits.get(path))
    if found is None or (found.is_default and _leaves_idle(subject, bound)):
        return []
    if found.is_default and path in DEFAULTS_OF_THE_METHOD:
        return without(subject, bound, f"Delete `{bound.key.name}`, whose default follows from the method")
    return _write(subject, node, found.title, found.text)


def without(subject: Subject, bound: BoundKey, title: str) -> list[Fix]:
    """Return the fix that deletes a key, with its section when it is the only one there; none where one is required."""
    place = subject.document.find(bound.path[:-1])
    mapping = target(place.value) if place is not None else None
    if bound.key.required or bound.via is not None or not isinstance(mapping, Mapping):
        return []
    if not has_entry(mapping, bound.entry):
        return []
    holder = subject.binding.at(bound.path[:-1])
    if len(mapping.entries) == 1 and holder is not None:
        return without(subject, holder, title)
    edit = delete_entry(subject.document, mapping, bound.entry, even_last=len(bound.path) == 1)
    return [] if edit is None else [Fix(title=title, edits=[edit])]


def _write(subject: Subject, node: Scalar, title: str, text: str) -> list[Fix]:
    space = " " if node.style == "empty" else ""
    return [Fix(title=title, edits=[replace_span(subject.document, node.start, node.end, space + text)])]


def _means_off(key: Key, node: Scalar) -> bool:
    """Tell whether a number stands for nothing, as `max_steps: -1` does in Transformers."""
    return key.nullable and isinstance(node.value, int | float) and node.value <= 0


def _lacks_quotes(key: Key, node: Scalar) -> bool:
    """Tell whether a value that reads as a number or the like would be taken as a text."""
    is_other = key.types == ("text",) and not isinstance(node.value, str | None)
    return is_other and judge_plain(key, node.raw) is None


def _with_comment(key: Key, node: Scalar) -> str | None:
    """Return a value with its comment where a blank before the `#` is missing, or the comment begins with `//`."""
    found = _STUCK_COMMENT.fullmatch(node.raw) if node.style == "plain" else None
    value = None if found is None else plain_value(found[1])
    if found is None or judge_plain(key, value) is not None:
        return None
    return f"{found[1]}  # {found[2]}"


def _usual_rank(subject: Subject, key: Key) -> Repair:
    """Return the rank that goes with the written strength: the bounds of ranks are far from all that anybody trains."""
    strength = subject.binding.at(("method", "alpha"))
    value = None if strength is None else plain(strength.entry.value)
    half = value / 2 if isinstance(value, int | float) and not isinstance(value, bool) else key.default
    rank = written(round(half)) if isinstance(half, int | float) and key.bounds.contain(round(half)) else "16"
    return Repair(f"Set to {rank}, which goes with the strength", rank)


def _leaves_idle(subject: Subject, bound: BoundKey) -> bool:
    """Tell whether a key's default would leave another key of its section without effect."""
    others = _IDLE_WITHOUT.get(bound.path, ())
    return any(subject.binding.at((bound.path[0], name)) is not None for name in others)
