"""From examples to token ids, and which of them are learned."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from jinja2 import TemplateError

from peft_engine.datasets import Conversation, Example, Message
from peft_schemas.errors import WorkbenchError


@dataclass(frozen=True)
class TokenisedExample:
    """One example as the model sees it."""

    ids: tuple[int, ...]
    """Token ids, never empty and never longer than the run's `max_length`."""

    trained: tuple[bool, ...]
    """For each token, whether the model learns to produce it. The first token is never trained: nothing precedes it."""


class ExampleTokeniser:
    """Writes examples with the model's own chat template and marks what is learned.

    Of a conversation, the assistant's words and the token that ends the turn are learned; what the template writes
    after that token is not, since the model is never asked to go on there. Padding does not exist here.
    """

    def __init__(self, tokenizer: Any, *, max_length: int, completion_only: bool) -> None:
        """Remember how to write.

        Args:
            tokenizer: A transformers fast tokenizer; offsets are needed.
            max_length: Tokens at which an example is cut.
            completion_only: Learn only the assistant's words; otherwise every token.
        """
        self._tokenizer = tokenizer
        self._max_length = max_length
        self._completion_only = completion_only
        self._special = frozenset(tokenizer.all_special_ids)

    def __call__(self, example: Example) -> TokenisedExample | None:
        """Return the example in tokens, or None when the cut leaves nothing to learn.

        Raises:
            WorkbenchError: The model has no chat template for a conversation, or one that cannot tell the turns apart
                (`not-supported`).
        """
        ids, trained = self._conversation(example) if isinstance(example, Conversation) else self._text(example.text)
        ids, trained = ids[: self._max_length], trained[: self._max_length]
        trained[:1] = [False] * len(trained[:1])
        return TokenisedExample(tuple(ids), tuple(trained)) if any(trained) else None

    def _text(self, text: str) -> tuple[list[int], list[bool]]:
        ids = list(self._tokenizer(text)["input_ids"])
        eos = self._tokenizer.eos_token_id
        if eos is not None and ids[-1:] != [eos]:
            ids.append(eos)
        return ids, [True] * len(ids)

    def _conversation(self, example: Conversation) -> tuple[list[int], list[bool]]:
        text = self._render(example.messages)
        # The template writes the special tokens, the one that begins a text included.
        encoded = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        ids, offsets = list(encoded["input_ids"]), encoded["offset_mapping"]
        if not self._completion_only:
            return ids, [True] * len(ids)
        trained = [False] * len(ids)
        for start, end in self._answers(example.messages, text):
            # A token that straddles the start cannot be the model's first: at inference the prompt ends before it.
            span = [i for i, (first, last) in enumerate(offsets) if start <= first and last <= end and first < last]
            ends = [i for i in span if ids[i] in self._special]
            for i in span:
                trained[i] = not ends or i <= ends[-1]
            if not ends and end == len(text) and self._tokenizer.eos_token_id is not None:
                # A template without an end-of-turn token would teach the model never to stop.
                ids.append(self._tokenizer.eos_token_id)
                trained.append(True)
        return ids, trained

    def _answers(self, messages: Sequence[Message], text: str) -> list[tuple[int, int]]:
        """Return where, in the rendered text, each of the assistant's turns stands, header excluded."""
        spans = []
        for index, message in enumerate(messages):
            if message.role != "assistant":
                continue
            before = self._render(messages[:index], prompt=True)
            upto = self._render(messages[: index + 1])
            if not text.startswith(upto) or not upto.startswith(before):
                raise WorkbenchError(
                    "not-supported",
                    "The model's chat template rewrites earlier turns, so the assistant's words cannot be told apart.",
                    "Set `training.completion_only_loss: false`, or use conversations of one question and one answer.",
                )
            spans.append((len(before), len(upto)))
        return spans

    def _render(self, messages: Sequence[Message], *, prompt: bool = False) -> str:
        if self._tokenizer.chat_template is None:
            raise WorkbenchError(
                "not-supported",
                "The model has no chat template, so conversations cannot be written for it.",
                "Take an instruction-tuned model, or a dataset of the format text.",
            )
        turns = [{"role": message.role, "content": message.content} for message in messages]
        try:
            return str(self._tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=prompt))
        except TemplateError as error:
            roles = ", ".join(turn["role"] for turn in turns)
            raise WorkbenchError(
                "config-invalid",
                f"The chat template cannot write a conversation of {roles}: {error}.",
                "Correct the template that `model.chat_template` names, or leave out such conversations.",
            ) from error


def pack(examples: Sequence[TokenisedExample], capacity: int) -> list[tuple[TokenisedExample, ...]]:
    """Join examples into rows of at most `capacity` tokens, best fit first, longest example first.

    The order of the examples decides between equals, so the same input gives the same rows.
    """
    order = sorted(range(len(examples)), key=lambda i: (-len(examples[i].ids), i))
    rows: list[list[int]] = []
    room: list[int] = []
    for i in order:
        length = len(examples[i].ids)
        fitting = [row for row, left in enumerate(room) if left >= length]
        if fitting:
            row = min(fitting, key=lambda row: room[row])
            rows[row].append(i)
            room[row] -= length
        else:
            rows.append([i])
            room.append(capacity - length)
    return [tuple(examples[i] for i in row) for row in rows]


def boundaries(lengths: Sequence[int]) -> list[int]:
    """Return where each segment starts and the last ends, in one joined row: lengths 3, 2 give 0, 3, 5."""
    return [0, *accumulate(lengths)]
