"""Grammars that leave a model no other way than to answer as asked.

Each function's arguments keep their schema as a document of its own, in which `$ref` finds what it names.
"""

import json
from collections.abc import Mapping
from typing import Any

from peft_engine.inference.contract import Constraint
from peft_engine.inference.tools.declaration import Tool, ToolUse
from peft_engine.inference.tools.syntax import CallSyntax

_MOST_CALLS = 16
"""Calls of one answer that is free to make several: a small model may not find an end."""

_SPACING = {
    "whitespace_flexible": False,
    "whitespace_pattern": None,
    "item_separator": ", ",
    "key_separator": ": ",
}
"""JSON as Python writes it. Were white space free, a model could write it for ever. A pattern, which whoever compiles
the grammar may have by default, would go before the rest."""

_MEANINGFUL = frozenset("\\.+*?()|[]{}^$#&-~/")
"""Letters that mean something in a regular expression of a grammar. `\\<` means something too, so no others."""

_OPEN_ENDED = frozenset({"additionalProperties", "patternProperties", "unevaluatedProperties", "$ref"}) | frozenset(
    {"allOf", "anyOf", "oneOf", "not", "if", "dependentSchemas"}
)
"""Keys of a schema that say, or let other parts of it say, what else an object may have."""


def json_constraint(schema: Mapping[str, Any]) -> Constraint:
    """Return what makes the whole answer one JSON value of a schema."""
    return Constraint("json-schema", json.dumps(_spaced(schema)))


def forced_calls(use: ToolUse, syntax: CallSyntax, *, marked: bool) -> Constraint:
    """Return what makes the answer calls and nothing else.

    Args:
        use: The functions of which one must be called.
        syntax: How the model writes calls.
        marked: Whether the marks around a call are written too. A mark can be a token that no grammar of letters may
            take, so a model that knows its own is left to write the bare objects, which read the same.
    """
    call = f'{_text(syntax.open)} "\\n" body "\\n" {_text(syntax.close)}' if marked else "body"
    more = f' ("\\n" call){{0,{_MOST_CALLS - 1}}}' if use.parallel else ""
    return _grammar([f"start: call{more}", f"call: {call}"], use, syntax, lenient=False)


def calls_or_text(use: ToolUse, syntax: CallSyntax, schema: Mapping[str, Any] | None) -> Constraint:
    """Return what makes every call in an answer a valid one and leaves the rest free.

    Args:
        use: The functions that may be called.
        syntax: How the model was told to write calls.
        schema: What an answer without calls must be; None for any text.
    """
    mark, anything = _pattern(syntax.open), "(?s:.*)"
    calls = f'"\\n" body "\\n" {_text(syntax.close)}'
    if use.parallel:
        calls += f' ("\\n" {_text(syntax.open)} {calls}){{0,{_MOST_CALLS - 1}}}'
    rules = ["start: answer | opened calls", f"calls: {calls}"]
    if schema is None:
        # What is lazy ends with its first mark, so no text can hold one and not be followed by a call.
        rules += [f"opened[lazy]: /{anything}{mark}/", "answer: TEXT"]
        rules += [f"TEXT: /{anything}/ & ~/{anything}{mark}{anything}/"]
    else:
        rules += [f"opened: {_text(syntax.open)}", f"answer: %json {json.dumps(_spaced(schema))}"]
    return _grammar(rules, use, syntax, lenient=True)


def _grammar(rules: list[str], use: ToolUse, syntax: CallSyntax, *, lenient: bool) -> Constraint:
    rules.append("body: " + " | ".join(f"body_{number}" for number in range(len(use.tools))))
    for number, tool in enumerate(use.tools):
        head = f'{{"name": {json.dumps(tool.name)}, "{syntax.arguments}": '
        schema = _arguments_schema(tool, lenient=lenient and not tool.strict)
        rules.append(f'body_{number}: {_text(head)} arguments_{number} "}}"')
        rules.append(f"arguments_{number}: %json {json.dumps(schema)}")
    return Constraint("lark", "\n".join(rules))


def _arguments_schema(tool: Tool, *, lenient: bool) -> dict[str, Any]:
    schema = dict(tool.parameters)
    if "properties" in schema and not schema.keys() & _OPEN_ENDED:
        # What is not declared would be valid too, but no function expects it and small models invent no end of it.
        schema["additionalProperties"] = False
    return _spaced(schema, lenient=lenient)


def _spaced(schema: Mapping[str, Any], **options: bool) -> dict[str, Any]:
    """Return a schema with our spacing, whatever options of the grammar's compiler a client has put in it."""
    return {**schema, "x-guidance": {**_SPACING, **options}}


def _text(text: str) -> str:
    """Return a text as a literal of a grammar."""
    return json.dumps(text, ensure_ascii=False)


def _pattern(text: str) -> str:
    """Return a text as a part of a regular expression of a grammar."""
    return "".join(f"\\{letter}" if letter in _MEANINGFUL else letter for letter in text)
