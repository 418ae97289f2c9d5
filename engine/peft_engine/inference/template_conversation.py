"""From a conversation to a prompt, by a model's template or by the format of its family."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from peft_engine.inference.contract import Conversation, Prompt
from peft_engine.inference.template import TemplateRefused, TemplateRequest
from peft_engine.inference.template_process import TemplateProcess
from peft_engine.prompt_formats import PromptFormat, prompt_formats
from peft_schemas.errors import WorkbenchError


def render_conversation(
    templates: TemplateProcess,
    conversation: Conversation,
    *,
    template: str | None,
    bos_text: str,
    eos_text: str,
    model: str,
) -> str:
    """Return the prompt for the assistant's next turn.

    A template that knows no system role, and refuses it or leaves it out, gets it at the head of the first user turn.

    Args:
        templates: Where templates are rendered.
        conversation: What was said, and perhaps a template, or a prompt format's name, to use in place of `template`.
        template: The adapter's, the base's or its family's; None where there is none.
        bos_text: The token that begins a text, as it is written; empty for none.
        eos_text: The token that ends one.
        model: What people call the model, for messages.

    Raises:
        WorkbenchError: There is no template, or it refuses the conversation (`not-supported`).
    """
    named = _named(conversation)
    chosen = named.template if named else conversation.template or template
    if chosen is None:
        raise WorkbenchError(
            "not-supported",
            f"{model} has no chat template, and its tokens are of no known family, so it cannot hold a conversation.",
            "Choose a model that was made for chat, such as one whose name ends in Instruct, or name a prompt format.",
        )
    request = TemplateRequest(
        template=chosen,
        messages=[dict(message) for message in conversation.messages],
        bos_token=bos_text,
        eos_token=eos_text,
        tools=[dict(tool) for tool in conversation.tools],
    )
    try:
        return _render_with_system(templates, request)
    except TemplateRefused as refused:
        raise WorkbenchError(
            "not-supported",
            f"The chat template of {model} refuses this conversation: {refused}.",
            "Change the order or the roles of the messages, or choose another model.",
        ) from refused


def _render_with_system(templates: TemplateProcess, request: TemplateRequest) -> str:
    folded = fold_system(request.messages)
    if folded is None:
        return templates.render(request)
    system = str(request.messages[0]["content"]).strip()
    try:
        prompt = templates.render(request)
    except TemplateRefused:
        prompt = ""
    # A template may write a text trimmed or with lines between; that its first line is there is enough to know.
    if system.partition("\n")[0].strip() in prompt and prompt:
        return prompt
    return templates.render(replace(request, messages=folded))


def turn_beginnings(prompt: Prompt) -> tuple[str, ...]:
    """Return the texts before which an answer to a prompt must end, where its format marks turns by no tokens."""
    named = _named(prompt) if isinstance(prompt, Conversation) else None
    return () if named is None else tuple(named.stop)


def fold_system(messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]] | None:
    """Return messages whose first user turn begins with what the system said; None where nothing can be folded."""
    if len(messages) < 2 or messages[0].get("role") != "system" or messages[1].get("role") != "user":
        return None
    system, user = messages[0].get("content"), messages[1].get("content")
    if not isinstance(system, str) or not isinstance(user, str) or not system.strip():
        return None
    return [{**messages[1], "content": f"{system.strip()}\n\n{user}"}, *messages[2:]]


def _named(conversation: Conversation) -> PromptFormat | None:
    return prompt_formats().formats.get(conversation.template or "")
