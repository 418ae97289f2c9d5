"""From examples to token ids, and which of them are learned."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peft_engine.datasets import Conversation, Example, Text
from peft_engine.training.data.conversations import ChatWriter, Span
from peft_schemas.errors import WorkbenchError


@dataclass(frozen=True, eq=False)
class TokenisedExample:
    """One example as the model sees it."""

    ids: NDArray[np.uint32]
    """Token ids, never empty and never longer than the run's `max_length`."""

    trained: NDArray[np.bool_]
    """For each token, whether the model learns to produce it. The first token is never trained: nothing precedes it."""

    is_cut: bool = False
    """Whether the length limit took its end."""


class ExampleTokeniser:
    """Writes examples with the model's own chat template and marks what is learned.

    Of a conversation, the assistant's words and the token that ends the turn are learned; what the template writes
    after that token is not, since the model is never asked to go on there. Padding does not exist here, so that a
    tokenizer without a padding token, or with one that is also its end token, makes no difference.
    """

    def __init__(self, tokenizer: Any, *, max_length: int, completion_only: bool) -> None:
        """Remember how to write.

        Args:
            tokenizer: A transformers fast tokenizer; offsets are needed.
            max_length: Tokens at which an example is cut.
            completion_only: Learn only the assistant's words; otherwise every token.

        Raises:
            WorkbenchError: It is a slow tokenizer (`not-supported`).
        """
        if not tokenizer.is_fast:
            raise WorkbenchError(
                "not-supported",
                "The model's tokenizer is written in Python and cannot say which characters a token stands for.",
                "Take a model that has a `tokenizer.json`.",
            )
        self.tokenizer = tokenizer
        self.max_length = max_length
        self.completion_only = completion_only
        self._writer = ChatWriter(tokenizer)
        added = (number for number, token in tokenizer.added_tokens_decoder.items() if token.special)
        self._special = np.array(sorted({*tokenizer.all_special_ids, *added}), dtype=np.uint32)

    def __call__(self, examples: Sequence[Example]) -> list[TokenisedExample | None]:
        """Return examples in tokens, None for each of which the cut leaves nothing to learn.

        Raises:
            WorkbenchError: The model has no chat template for a conversation, or one that cannot tell the turns apart
                (`not-supported`) or cannot write it (`config-invalid`).
        """
        # A batch of each kind: the tokenizer spreads a batch over the processor's cores.
        texts = iter(self._texts([example.text for example in examples if isinstance(example, Text)]))
        talks = iter(self._conversations([example for example in examples if isinstance(example, Conversation)]))
        return [self._cut(*next(talks if isinstance(example, Conversation) else texts)) for example in examples]

    def _cut(self, ids: NDArray[np.uint32], trained: NDArray[np.bool_]) -> TokenisedExample | None:
        cut = TokenisedExample(ids[: self.max_length], trained[: self.max_length], len(ids) > self.max_length)
        cut.trained[:1] = False
        return cut if cut.trained.any() else None

    def _texts(self, texts: Sequence[str]) -> Iterator[tuple[NDArray[np.uint32], NDArray[np.bool_]]]:
        if not texts:
            return
        for listed in self.tokenizer(list(texts), return_attention_mask=False)["input_ids"]:
            ids = self._ended(np.array(listed, np.uint32))
            yield ids, np.ones(len(ids), np.bool_)

    def _conversations(
        self, conversations: Sequence[Conversation]
    ) -> Iterator[tuple[NDArray[np.uint32], NDArray[np.bool_]]]:
        if not conversations:
            return
        written = self._writer.write(conversations, find_answers=self.completion_only)
        # The template writes the special tokens, the one that begins a text included.
        encoded = self.tokenizer(
            [one.text for one in written],
            add_special_tokens=False,
            return_attention_mask=False,
            return_offsets_mapping=self.completion_only,
        )
        for number, one in enumerate(written):
            ids = np.array(encoded["input_ids"][number], np.uint32)
            if self.completion_only:
                offsets = np.array(encoded["offset_mapping"][number], np.int64).reshape(-1, 2)
                yield self._masked(ids, offsets, one.answers, len(one.text))
            else:
                yield ids, np.ones(len(ids), np.bool_)

    def _masked(
        self, ids: NDArray[np.uint32], offsets: NDArray[np.int64], answers: Sequence[Span], length: int
    ) -> tuple[NDArray[np.uint32], NDArray[np.bool_]]:
        """Return the ids, ended where the last answer has no end, and which of them the assistant speaks.

        Args:
            ids: [tokens].
            offsets: [tokens, 2] Where each begins and ends in the text.
            answers: Where the assistant speaks.
            length: Characters of the text.
        """
        first, last = offsets[:, 0], offsets[:, 1]
        trained = np.zeros(len(ids), np.bool_)
        is_special = np.isin(ids, self._special)
        for start, end in answers:
            # A token that straddles the start cannot be the model's first: at inference the prompt ends before it.
            spoken = (start <= first) & (last <= end) & (first < last)
            ends = np.flatnonzero(spoken & is_special)
            if len(ends):
                spoken[ends[-1] + 1 :] = False
            trained |= spoken
            if not len(ends) and end == length:
                # A template without an end-of-turn token would teach the model never to stop.
                ids = self._ended(ids)
                trained = np.append(trained, np.ones(len(ids) - len(trained), np.bool_))
        return ids, trained

    def _ended(self, ids: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """Return the ids with the end token behind them, where the tokenizer has one and did not write it."""
        eos = self.tokenizer.eos_token_id
        return ids if eos is None or ids[-1:].tolist() == [eos] else np.append(ids, np.uint32(eos))


def boundaries(lengths: Sequence[int]) -> list[int]:
    """Return where each segment starts and the last ends, in one joined row: lengths 3, 2 give 0, 3, 5."""
    return [0, *accumulate(lengths)]
