"""Whether what the server sends is LSP, judged by the types that the specification's authors generate from it."""

from functools import cache
from typing import Any

from cattrs import Converter
from lsprotocol import converters, types

OURS = "peft/"


def assert_is_lsp(message: dict[str, Any], asked: str | None) -> None:
    """Fail where a message is not what LSP prescribes, or says something that LSP has no word for.

    Args:
        message: What the server sent.
        asked: The method of the request that it answers; None when it is no response or answers what was no request.
    """
    method = message.get("method")
    if method is None and (asked is None or asked.startswith(OURS) or asked not in types.METHOD_TO_TYPES):
        assert message.get("error") or asked is not None, message
        return
    if method is not None and method.startswith(OURS):
        return
    message_type, response_type, *_ = types.METHOD_TO_TYPES[method or asked]
    if method is None and "error" in message:
        assert {"code", "message"} <= message["error"].keys()
        return
    expected = message_type if method else response_type
    understood = _converter().unstructure(_converter().structure(message, expected))
    assert not (lost := list(_lost(message, understood, "message"))), f"LSP reads {lost} of {method or asked} otherwise"


def _lost(ours: Any, theirs: Any, where: str) -> Any:
    """Yield the places of what LSP's own types have no word for, or read as something else."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key, value in ours.items():
            yield from _lost(value, theirs.get(key), f"{where}.{key}")
    elif isinstance(ours, list) and isinstance(theirs, list):
        for index, (value, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from _lost(value, other, f"{where}[{index}]")
    elif ours != theirs:
        yield where


@cache
def _converter() -> Converter:
    return converters.get_converter()
