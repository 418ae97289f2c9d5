"""From what is asked to tokens. One module for every engine."""

import re
from collections.abc import Sequence
from typing import Protocol

from peft_engine.inference.contract import Capability, Conversation, Infill, PartRefused, Prompt, Text
from peft_engine.inference.template_conversation import render_conversation
from peft_engine.inference.template_process import TemplateProcess
from peft_schemas.errors import WorkbenchError


class PromptVocabulary(Protocol):
    """What a prompt asks of an engine's tokenizer."""

    @property
    def size(self) -> int:
        """How many tokens the base knows."""

    @property
    def bos_text(self) -> str:
        """The token that begins a text, as it is written; empty for none."""

    @property
    def eos_text(self) -> str:
        """The token that ends one."""

    @property
    def beginning(self) -> int:
        """What an empty prompt is: something must come before the first token of an answer."""

    @property
    def fills_gaps(self) -> bool:
        """Whether there are tokens that mark a gap in a text."""

    def chat_template(self, *, tools: bool) -> str | None:
        """Return the base's own template, else that of the family that its special tokens tell of.

        Args:
            tools: Whether the template is to write tools, for which some bases have one of its own.
        """

    def tokenize(self, text: str) -> Sequence[int]:
        """Return the tokens of a text as the base was trained to read one, its first special token included."""

    def tokenize_rendered(self, prompt: str) -> Sequence[int]:
        """Return the tokens of a prompt in which a template has written the special tokens."""

    def tokenize_gap(self, prefix: str, suffix: str) -> Sequence[int]:
        """Return the prompt that asks for what stands between two texts, where there are tokens for it."""


class Prompts:
    """Tokenises prompts for one base and holds them to its context."""

    def __init__(self, name: str, vocabulary: PromptVocabulary, *, context_length: int) -> None:
        """Start the process that renders templates.

        Args:
            name: What people call the base, for messages.
            vocabulary: Of the base.
            context_length: Tokens of prompt and answer together.
        """
        self._name = name
        self._vocabulary = vocabulary
        self._context_length = context_length
        self._templates = TemplateProcess()
        self._templates.start()

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the base can do with prompts beside completing text."""
        found: set[Capability] = set()
        if template := self._vocabulary.chat_template(tools=True):
            found.add("chat")
            if re.search(r"\btools\b", template):
                found.add("tools")
        if self._vocabulary.fills_gaps:
            found.add("infill")
        return frozenset(found)

    def tokens(self, prompt: Prompt, *, template: str | None) -> tuple[int, ...]:
        """Return a prompt in tokens, at least one, that leaves room for an answer.

        Args:
            prompt: What is asked.
            template: The chat template that the adapters learned with; None for the base's.

        Raises:
            WorkbenchError: The base cannot do what is asked, or a token does not exist (`not-supported`); or the
                context has no room (`context-exceeded`).
        """
        if isinstance(prompt, Conversation):
            tokens = self._vocabulary.tokenize_rendered(self._render(prompt, template))
        elif isinstance(prompt, Text):
            tokens = self._vocabulary.tokenize(prompt.text)
        elif isinstance(prompt, Infill):
            tokens = self._infill(prompt)
        else:
            tokens = self._given(prompt.ids)
        return self._fitting(tokens, answer=1)

    def limit(self, prompt: Sequence[int], max_tokens: int | None) -> int:
        """Return the most tokens that the answer to a prompt may have.

        Args:
            prompt: In tokens.
            max_tokens: What the request allows; None for as many as there is room for.
        """
        room = self._context_length - len(prompt)
        return room if max_tokens is None else min(room, max_tokens)

    def texts(self, texts: Sequence[str | Sequence[int]]) -> list[tuple[int, ...]]:
        """Return texts to be embedded in tokens, at least one each.

        Raises:
            WorkbenchError: A token does not exist (`not-supported`), or a text is too long (`context-exceeded`).
        """
        return [
            self._fitting(self._vocabulary.tokenize(text) if isinstance(text, str) else self._given(text), answer=0)
            for text in texts
        ]

    def close(self) -> None:
        """End the process."""
        self._templates.close()

    def _render(self, conversation: Conversation, template: str | None) -> str:
        return render_conversation(
            self._templates,
            conversation,
            template=template or self._vocabulary.chat_template(tools=bool(conversation.tools)),
            bos_text=self._vocabulary.bos_text,
            eos_text=self._vocabulary.eos_text,
            model=self._name,
        )

    def _infill(self, prompt: Infill) -> Sequence[int]:
        if not self._vocabulary.fills_gaps:
            raise PartRefused(
                "suffix",
                f"{self._name} was not trained to fill in the middle: its vocabulary has no tokens for it.",
                "Leave the suffix out, or choose a code model that can, such as Qwen2.5-Coder.",
            )
        return self._vocabulary.tokenize_gap(prompt.prefix, prompt.suffix)

    def _given(self, ids: Sequence[int]) -> Sequence[int]:
        """Return tokens that a client made, all of which must exist."""
        size = self._vocabulary.size
        for token in ids:
            if not 0 <= token < size:
                raise WorkbenchError(
                    "not-supported",
                    f"The prompt has the token {token}, but {self._name} has tokens from 0 to {size - 1}.",
                    "Send tokens of this model's own tokenizer, or the text itself.",
                )
        return ids

    def _fitting(self, tokens: Sequence[int], *, answer: int) -> tuple[int, ...]:
        if len(tokens) + answer > self._context_length:
            raise WorkbenchError(
                "context-exceeded",
                f"The prompt has {len(tokens):,} tokens, but the model's context holds {self._context_length:,} "
                "with the answer.",
                "Start a new conversation, shorten it, or choose a model with a longer context.",
            )
        return tuple(tokens) or (self._vocabulary.beginning,)
