"""Conversations about functions for a chat template that does not know them: everything is told as text."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from peft_engine.inference.contract import Message
from peft_engine.inference.tools.declaration import ToolUse
from peft_engine.inference.tools.syntax import generic_syntax, tool_data


def with_declarations(messages: Sequence[Message], use: ToolUse) -> tuple[Message, ...]:
    """Return the messages with the functions explained in the system message, which is added if there is none."""
    data = tool_data().generic
    instruction = getattr(data.instructions, use.choice).format(name=use.tools[0].name)
    lines = "\n".join(json.dumps(tool.declaration()["function"], ensure_ascii=False) for tool in use.tools)
    declared = data.declaration.format(declarations=lines, instruction=instruction)
    if messages and messages[0]["role"] == "system":
        first = {**messages[0], "content": f"{messages[0]['content']}\n\n{declared}"}
        return (first, *messages[1:])
    return ({"role": "system", "content": declared}, *messages)


def folded(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Return the messages with calls as text of the assistant and results as text of the user.

    Turns of the user that come to stand side by side are made one, because many templates want the roles to alternate.
    """
    result: list[dict[str, Any]] = []
    for message in messages:
        if message["role"] == "tool":
            _add_user_text(result, _result(message["content"]))
        elif message.get("tool_calls"):
            calls = "\n".join(_call(call["function"]) for call in message["tool_calls"])
            content = f"{message['content']}\n{calls}" if message["content"] else calls
            result.append({"role": "assistant", "content": content})
        elif message["role"] == "user" and result and result[-1].get("has_result"):
            _add_user_text(result, message["content"])
        else:
            result.append(dict(message))
    for one in result:
        one.pop("has_result", None)
    return tuple(result)


def _add_user_text(result: list[dict[str, Any]], text: str) -> None:
    if result and result[-1]["role"] == "user":
        text = f"{result.pop()['content']}\n{text}"
    result.append({"role": "user", "content": text, "has_result": True})


def _call(function: Mapping[str, Any]) -> str:
    syntax = generic_syntax()
    body = json.dumps({"name": function["name"], syntax.arguments: function["arguments"]}, ensure_ascii=False)
    return f"{syntax.open}\n{body}\n{syntax.close}"


def _result(text: str) -> str:
    data = tool_data().generic
    return f"{data.result_open}\n{text}\n{data.result_close}"
