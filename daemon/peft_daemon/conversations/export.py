"""A conversation written out for people, or for programs."""

import re

from peft_schemas.conversations import Conversation, ConversationAnswer, ConversationExchange, ConversationText

_NAME_LIMIT = 60
"""Characters of a file's name before its ending."""


def as_markdown(conversation: Conversation) -> ConversationText:
    """Return a conversation as it reads."""
    parts = [f"# {conversation.summary.title}"]
    if conversation.settings.system:
        parts += ["## Instructions", conversation.settings.system]
    for exchange in conversation.exchanges:
        parts += _exchange(exchange)
    return ConversationText(text="\n\n".join(parts) + "\n", file_name=f"{_name(conversation)}.md")


def as_json(conversation: Conversation) -> ConversationText:
    """Return everything that is known of a conversation."""
    return ConversationText(text=conversation.model_dump_json(indent=2) + "\n", file_name=f"{_name(conversation)}.json")


def _exchange(exchange: ConversationExchange) -> list[str]:
    parts = ["## You"]
    if exchange.context is not None:
        fence = _fence(exchange.context)
        parts.append(f"{fence}\n{exchange.context}\n{fence}")
    parts.append(exchange.prompt)
    for answer in exchange.answers:
        parts += [f"## {answer.model}", *_answer(answer)]
    return parts


def _answer(answer: ConversationAnswer) -> list[str]:
    parts = [answer.text] if answer.text else []
    if answer.error is not None:
        parts.append(f"*{answer.error.message} {answer.error.remedy}*")
    elif answer.finish_reason == "length":
        parts.append("*Cut at its length limit.*")
    elif answer.finish_reason == "cancelled":
        parts.append("*Stopped.*")
    return parts


def _fence(text: str) -> str:
    """Return a fence that is longer than any in the text."""
    return "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", text)), default=0))


def _name(conversation: Conversation) -> str:
    words = re.sub(r"[^\w]+", "-", conversation.summary.title.lower()).strip("-")
    return words[:_NAME_LIMIT].rstrip("-") or "conversation"
