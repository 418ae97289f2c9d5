"""Conversations written by the model's own chat template, and where in the text the assistant speaks."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError
from transformers.utils.chat_template_utils import render_jinja_template

from peft_engine.datasets import Conversation, Message
from peft_schemas.errors import WorkbenchError

Span = tuple[int, int]
"""Where something begins and ends in a text, in characters."""

_GENERATION = re.compile(r"\{%-?\s*generation\s*-?%\}")
"""The mark by which a template itself says what the assistant generates."""

Turns = list[dict[str, str]]


@dataclass(frozen=True)
class Written:
    """A conversation as text."""

    text: str
    answers: tuple[Span, ...]
    """The assistant's turns without their headers, in order; none where nobody asked for them."""


class ChatWriter:
    """Writes conversations with a tokenizer's chat template.

    Where the template marks with `{% generation %}` what the assistant generates, those marks say where it speaks, and
    a special token right behind one, which ends the turn, belongs to it. For any other template, a turn of the
    assistant is what stands between the prompt that inference would end with and the text up to the turn's end.
    """

    def __init__(self, tokenizer: Any) -> None:
        """Remember the template.

        Args:
            tokenizer: A transformers tokenizer.
        """
        self._tokenizer = tokenizer

    def write(self, conversations: Sequence[Conversation], *, find_answers: bool) -> list[Written]:
        """Write conversations.

        Args:
            conversations: What was said.
            find_answers: Whether to say where the assistant speaks.

        Raises:
            WorkbenchError: There is no template, or one that cannot tell the turns apart (`not-supported`) or cannot
                write such a conversation (`config-invalid`).
        """
        chats = [_turns(conversation.messages) for conversation in conversations]
        if not chats:
            return []
        if self._tokenizer.chat_template is None:
            raise WorkbenchError(
                "not-supported",
                "The model has no chat template, so conversations cannot be written for it.",
                "Take an instruction-tuned model, name a template in `model.chat_template`, or use the format text.",
            )
        if not find_answers:
            return [Written(text, ()) for text in self._render(chats)]
        template = self._tokenizer.get_chat_template()
        return self._marked(chats, template) if _GENERATION.search(template) else self._compared(chats)

    def _marked(self, chats: Sequence[Turns], template: str) -> list[Written]:
        """Return the texts with the spans that the template marks itself."""
        special = tuple(self._tokenizer.all_special_tokens)
        written = []
        for chat in chats:
            try:
                (text,), (spans,) = render_jinja_template(
                    [chat],
                    chat_template=template,
                    return_assistant_tokens_mask=True,
                    **self._tokenizer.special_tokens_map,
                )
            except (TemplateError, TypeError) as error:
                raise _unwritable(chat, error) from error
            written.append(Written(text, tuple((start, _turn_end(text, end, special)) for start, end in spans)))
        return written

    def _compared(self, chats: Sequence[Turns]) -> list[Written]:
        """Return the texts with spans found by writing each conversation up to each turn of the assistant."""
        # What the assistant says before anybody asked answers nothing.
        places = [
            (number, index)
            for number, chat in enumerate(chats)
            for index, turn in enumerate(chat)
            if turn["role"] == "assistant" and index > 0
        ]
        texts = self._render(chats)
        prompts = self._render([chats[number][:index] for number, index in places], prompt=True)
        inner = [(number, index) for number, index in places if index + 1 < len(chats[number])]
        ends = dict(zip(inner, self._render([chats[n][: i + 1] for n, i in inner]), strict=True))
        spans: list[list[Span]] = [[] for _ in chats]
        for place, prompt in zip(places, prompts, strict=True):
            text = texts[place[0]]
            upto = ends.get(place, text)
            if not text.startswith(upto) or not upto.startswith(prompt):
                raise WorkbenchError(
                    "not-supported",
                    "The model's chat template rewrites earlier turns, so the assistant's words cannot be told apart.",
                    "Set `training.completion_only_loss: false`, or use conversations of one question and one answer.",
                )
            spans[place[0]].append((len(prompt), len(upto)))
        return [Written(text, tuple(found)) for text, found in zip(texts, spans, strict=True)]

    def _render(self, chats: Sequence[Turns], *, prompt: bool = False) -> list[str]:
        try:
            return self._rendered(chats, prompt=prompt)
        except (TemplateError, TypeError):
            # Once more, one by one, to name the conversation that the template cannot write.
            for chat in chats:
                try:
                    self._rendered([chat], prompt=prompt)
                except (TemplateError, TypeError) as error:
                    raise _unwritable(chat, error) from error
            raise

    def _rendered(self, chats: Sequence[Turns], *, prompt: bool) -> list[str]:
        if not chats:
            return []
        texts = self._tokenizer.apply_chat_template(list(chats), tokenize=False, add_generation_prompt=prompt)
        return list(map(str, texts))


def _turns(messages: Iterable[Message]) -> Turns:
    return [{"role": message.role, "content": message.content} for message in messages]


def _turn_end(text: str, end: int, special: Sequence[str]) -> int:
    """Return the end of a marked span with the special token that stands right behind it."""
    return next((end + len(token) for token in special if text.startswith(token, end)), end)


def _unwritable(chat: Turns, error: Exception) -> WorkbenchError:
    roles = ", ".join(turn["role"] for turn in chat)
    return WorkbenchError(
        "config-invalid",
        f"The chat template cannot write a conversation of {roles}: {error}.",
        "Correct the template that `model.chat_template` names, or leave out such conversations.",
    )
