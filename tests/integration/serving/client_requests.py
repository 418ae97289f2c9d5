"""Requests as coding agents were seen to send them: fields, roles and sizes are theirs, the words are ours."""

from typing import Any

_AGENT_TOOLS = (
    "read_file", "write_to_file", "replace_in_file", "apply_patch", "list_files", "search_files", "execute_command",
    "list_code_definition_names", "browser_action", "use_mcp_tool", "access_mcp_resource", "ask_followup_question",
    "attempt_completion", "new_task", "plan_mode_respond", "web_fetch", "web_search", "condense", "summarize_task",
    "report_bug", "new_rule", "generate_explanation", "use_skill", "focus_chain", "load_mcp_documentation",
)  # fmt: skip
_USAGE = {"stream": True, "stream_options": {"include_usage": True}}


def _tools(count: int, characters: int) -> list[dict[str, Any]]:
    """Return functions whose declarations have so many characters together."""
    tools = []
    for name in _AGENT_TOOLS[:count]:
        words = "Use it when the task needs it, and wait for its result before you go on. "
        description = (f"Request to {name.replace('_', ' ')}. " + words * 20)[: characters // count - 330]
        parameters = {
            "type": "object",
            "properties": {
                "path": {"type": "string", "description": "Relative to the working directory."},
                "content": {"type": "string", "description": "In full, without omissions."},
                "line": {"type": "integer"},
            },
            "required": ["path"],
            "additionalProperties": False,
        }
        function = {"name": name, "description": description, "parameters": parameters, "strict": False}
        tools.append({"type": "function", "function": function})
    return tools


def _system(characters: int) -> str:
    text = "You are a skilled software engineer who edits files with tools, one step at a time. "
    return (text * (characters // len(text) + 1))[:characters]


def cline() -> dict[str, Any]:
    """Cline 3: 25 tools of 18 kB, no limit, no temperature."""
    messages = [{"role": "system", "content": _system(4300)}, {"role": "user", "content": "<task>Say hi.</task>"}]
    return {"messages": messages, "tools": _tools(25, 18_000), "tool_choice": "auto", **_USAGE}


def cline_after_a_call() -> dict[str, Any]:
    """Cline's next turn, with what a tool gave back."""
    asked = cline()
    function = {"name": "read_file", "arguments": '{"path": "a.py"}'}
    asked["messages"] += [
        {"role": "assistant", "content": "", "tool_calls": [{"id": "c1", "type": "function", "function": function}]},
        {"role": "tool", "tool_call_id": "c1", "content": "print(1)"},
    ]
    return asked


def continue_chat() -> dict[str, Any]:
    """Continue: 9 tools of 4.2 kB."""
    messages = [{"role": "system", "content": _system(1300)}, {"role": "user", "content": "Say hi."}]
    return {"messages": messages, "tools": _tools(9, 4200), **_USAGE}


def continue_autocomplete() -> dict[str, Any]:
    """Continue's completion at the cursor: it writes the tokens of the model's family into the prompt itself."""
    prompt = "<|fim_prefix|>def add(a, b):\n    return <|fim_suffix|>\n<|fim_middle|>"
    return {"prompt": prompt, "max_tokens": 8, "temperature": 0.01, "stop": ["<|endoftext|>", "\n\n"], "stream": True}


def roo() -> dict[str, Any]:
    """Roo Code: content in parts that are marked for a cache, one call at a time."""
    cache = {"cache_control": {"type": "ephemeral"}}
    messages = [
        {"role": "system", "content": [{"type": "text", "text": _system(4000), **cache}]},
        {"role": "user", "content": [{"type": "text", "text": "Say hi.", **cache}, {"type": "text", "text": "Now."}]},
    ]
    tools = {"tools": _tools(12, 8000), "tool_choice": "auto", "parallel_tool_calls": False}
    return {"messages": messages, "temperature": 0, **tools, **_USAGE}


def roo_title() -> dict[str, Any]:
    """Roo Code's short question without a stream."""
    return {"messages": [{"role": "user", "content": "Write a title for: mend the build."}], "max_tokens": 8}


def vscode() -> dict[str, Any]:
    """The editor's own custom endpoint."""
    messages = [
        {"role": "system", "content": "You are an AI programming assistant."},
        {"role": "user", "content": [{"type": "text", "text": "Say hi."}]},
    ]
    limits = {"max_tokens": 8, "temperature": 0.1, "top_p": 1, "n": 1}
    return {"messages": messages, **limits, **_USAGE}


def agent_of_ten_thousand_tokens() -> dict[str, Any]:
    """A prompt that no model with a context of 8,192 can hold."""
    asked = cline()
    asked["messages"][0]["content"] = "many words " * 4000
    return asked
