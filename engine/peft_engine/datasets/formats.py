"""The shapes of a record: recognising them, and bringing each to a conversation or a text."""

import math
from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal

from peft_engine.datasets.examples import LONGEST_EXAMPLE, Conversation, Example, Message, Role, Text

KnownFormat = Literal["messages", "sharegpt", "alpaca", "prompt-completion", "text"]

_FIELDS: dict[KnownFormat, tuple[str, ...]] = {
    "messages": ("messages",),
    "sharegpt": ("conversations",),
    "alpaca": ("instruction", "output"),
    "prompt-completion": ("prompt", "completion"),
    "text": ("text",),
}
"""The fields that make a record of each shape, most telling first."""

_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "chatgpt": "assistant",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
    "ipython": "tool",
}
"""Every name that a speaker is known by."""


class BadRecord(ValueError):
    """A record that does not have the shape it should; the message completes the sentence `line 3 …`."""


def recognise(record: Mapping[str, Any]) -> KnownFormat | None:
    """Return the shape of a record by the fields it has, None when no shape fits."""
    for shape, fields in _FIELDS.items():
        if all(field in record for field in fields):
            return shape
    return None


def lacking_fields(columns: Collection[str], shape: KnownFormat) -> list[str]:
    """Return the fields that make a record of a shape and are not among some columns."""
    return [field for field in _FIELDS[shape] if field not in columns]


def known_fields() -> str:
    """Return the fields of every shape, for a sentence."""
    return "; ".join(f"{shape}: {' and '.join(fields)}" for shape, fields in _FIELDS.items())


def normalise(record: Mapping[str, Any], shape: KnownFormat) -> Example:
    """Bring a record of a shape to the one form.

    Raises:
        BadRecord: A field is absent, empty or of another type, its text is broken or beyond any length that is meant, a
            speaker is unknown, or nobody answers.
    """
    example = _NORMALISERS[shape](record)
    if example.characters > LONGEST_EXAMPLE:
        raise BadRecord(f"has {example.characters} characters, more than an example can have ({LONGEST_EXAMPLE})")
    return example


def _messages(record: Mapping[str, Any]) -> Example:
    return _conversation(_turns(record, "messages", "role", "content"))


def _sharegpt(record: Mapping[str, Any]) -> Example:
    turns = _turns(record, "conversations", "from", "value")
    system = record.get("system")
    if isinstance(system, str) and system.strip():
        turns.insert(0, Message("system", system))
    return _conversation(turns)


def _alpaca(record: Mapping[str, Any]) -> Example:
    prompt = _string(record, "instruction")
    extra = record.get("input")
    if isinstance(extra, str) and extra.strip():
        prompt = f"{prompt}\n\n{extra}"
    turns = [Message("user", prompt), Message("assistant", _string(record, "output"))]
    system = record.get("system")
    if isinstance(system, str) and system.strip():
        turns.insert(0, Message("system", system))
    return _conversation(turns)


def _prompt_completion(record: Mapping[str, Any]) -> Example:
    if isinstance(record.get("prompt"), list):
        prompt = _turns(record, "prompt", "role", "content")
        return _conversation(prompt + _turns(record, "completion", "role", "content"))
    return _conversation(
        [Message("user", _string(record, "prompt")), Message("assistant", _string(record, "completion"))]
    )


def _text(record: Mapping[str, Any]) -> Example:
    return Text(_string(record, "text"))


_NORMALISERS: dict[KnownFormat, Callable[[Mapping[str, Any]], Example]] = {
    "messages": _messages,
    "sharegpt": _sharegpt,
    "alpaca": _alpaca,
    "prompt-completion": _prompt_completion,
    "text": _text,
}


def _turns(record: Mapping[str, Any], field: str, role_key: str, content_key: str) -> list[Message]:
    value = record.get(field)
    if not isinstance(value, list) or not value:
        raise BadRecord(f"has no list of turns in `{field}`")
    turns = []
    for number, turn in enumerate(value, start=1):
        if not isinstance(turn, Mapping):
            raise BadRecord(f"has something in `{field}` that is not a turn (turn {number})")
        # Mixed exports name a turn's parts in either way.
        speaker = turn.get(role_key, turn.get("role", turn.get("from")))
        role = _ROLES.get(speaker.lower()) if isinstance(speaker, str) else None
        if role is None:
            raise BadRecord(f"has an unknown speaker {speaker!r} in turn {number} of `{field}`")
        content = _content(turn.get(content_key, turn.get("content", turn.get("value"))))
        if turn.get("tool_calls"):
            raise BadRecord(f"has tool calls in turn {number} of `{field}`, which can only be learned as text")
        if content is None or (role != "system" and not content.strip()):
            raise BadRecord(f"has no text in turn {number} of `{field}`")
        turns.append(Message(role, _sound(content, f"turn {number} of `{field}`")))
    return turns


def _content(value: Any) -> str | None:
    """Return the text of a turn: a string, or OpenAI's list of text parts joined."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        parts = [part.get("text") if isinstance(part, Mapping) else None for part in value]
        texts = [part for part in parts if isinstance(part, str)]
        return "".join(texts) if texts and len(texts) == len(parts) else None
    return None


def _string(record: Mapping[str, Any], field: str) -> str:
    value = record.get(field)
    if isinstance(value, float) and math.isnan(value):
        raise BadRecord(f"has no text in `{field}` but NaN, which tables write for an empty field")
    if not isinstance(value, str) or not value.strip():
        raise BadRecord(f"has no text in `{field}`")
    return _sound(value, f"`{field}`")


def _sound(text: str, where: str) -> str:
    """Return a text that consists of whole characters."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadRecord(f"has half a character in {where}, written as \\u{ord(text[error.start]):04x}") from error
    return text


def _conversation(turns: list[Message]) -> Conversation:
    answers = [number for number, turn in enumerate(turns) if turn.role == "assistant"]
    if not answers:
        raise BadRecord("has no turn of the assistant, so there is nothing to learn from it")
    if answers == [0]:
        raise BadRecord("has nothing that the assistant answers, so there is nothing to learn from it")
    return Conversation(tuple(turns))
