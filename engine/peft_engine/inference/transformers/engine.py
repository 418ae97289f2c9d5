"""A safetensors base that answers under any PEFT adapter."""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import torch
from torch.nn.functional import normalize

from peft_engine.inference.answer import Answer
from peft_engine.inference.contract import (
    AdapterUse,
    Capability,
    Conversation,
    Embedding,
    GenerationRequest,
    Infill,
    Prompt,
    Text,
)
from peft_engine.inference.template_conversation import render_conversation
from peft_engine.inference.template_process import TemplateProcess
from peft_engine.inference.transformers.adapters import AdapterKey, Adapters
from peft_engine.inference.transformers.attention import Span
from peft_engine.inference.transformers.memory import BLOCK, KeyValues, Prefixes
from peft_engine.inference.transformers.sequence import TransformersSequence
from peft_engine.inference.transformers.vocabulary import Vocabulary
from peft_engine.inference.transformers.weights import Weights
from peft_schemas.errors import WorkbenchError

_FLOAT32_ROWS = 2
"""Answers that are computed in one pass in float32. Two rows took hardly longer than one, four up to three times as
long as two."""


class TransformersEngine:
    """One base in memory with the adapters that were asked for. Driven by one thread."""

    def __init__(self, path: Path, *, context_length: int, threads: int, slots: int = 4) -> None:
        """Load a base.

        Args:
            path: The folder with `config.json`, safetensors and tokenizer.
            context_length: Tokens of prompt and answer together; less where the model was made for less.
            threads: Processor threads that compute.
            slots: How many sequences can be open at once.

        Raises:
            WorkbenchError: The folder cannot be loaded (`model-unreadable`, `out-of-memory`) or its family is not one
                that can be computed here (`not-supported`).
        """
        self.slots = slots
        self._name = path.name
        self._vocabulary = Vocabulary(path)
        self._weights = Weights(path, threads=threads)
        self._vocabulary.settle(size=self._weights.vocabulary_size, ends=self._weights.ends)
        self.context_length = min(context_length, self._weights.trained_context)
        self._adapters = Adapters(self._weights.model)
        self._prefixes = Prefixes(room=2 * self.context_length)
        self._rows = self._weights.safe_rows(_FLOAT32_ROWS if self._weights.dtype == torch.float32 else slots)
        self._open: list[TransformersSequence] = []
        self._templates = TemplateProcess()
        self._templates.start()

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the base can do beside completing text."""
        found: set[Capability] = {"embeddings"}
        if template := self._vocabulary.chat_template(tools=True):
            found.add("chat")
            if re.search(r"\btools\b", template):
                found.add("tools")
        if self._vocabulary.infill is not None:
            found.add("infill")
        return frozenset(found)

    @property
    def memory_bytes(self) -> int:
        """What the engine takes: weights, adapters and K/V in memory now."""
        answers = sum(sequence.memory.memory_bytes for sequence in self._open)
        return self._weights.memory_bytes + self._prefixes.memory_bytes + answers

    def open(self, request: GenerationRequest) -> TransformersSequence:
        """Prepare an answer. Contract: `Engine.open`."""
        adapters = self._use(request.adapters)
        prompt = self._tokens(request.prompt, adapters)
        self._check_length(len(prompt), answer=1)
        room = self.context_length - len(prompt)
        limit = room if request.max_tokens is None else min(room, request.max_tokens)
        answer = Answer(self._vocabulary, request, prompt, limit=limit)
        memory = self._prefixes.begin(adapters, prompt, capacity=len(prompt) + limit)
        sequence = TransformersSequence(prompt, adapters, memory, answer)
        self._open.append(sequence)
        return sequence

    def step(self) -> None:
        """Advance each open sequence. Contract: `Engine.step`.

        Sequences under the same adapters share a pass; a block of a prompt is a pass of its own.
        """
        self._open = [sequence for sequence in self._open if not sequence.closed]
        active = [sequence for sequence in self._open if sequence.active]
        for adapters, group in _by_adapters(active):
            self._adapters.apply(adapters)
            writing = [sequence for sequence in group if not sequence.reading]
            reading = [sequence for sequence in group if sequence.reading]
            for start in range(0, len(writing), self._rows):
                self._write(writing[start : start + self._rows])
            for sequence in reading:
                self._read(sequence)

    def embed(self, texts: Sequence[str | Sequence[int]], adapters: tuple[AdapterUse, ...]) -> list[Embedding]:
        """Return the embedding of each text or token list. Contract: `Engine.embed`."""
        keys = self._use(adapters)
        prompts = [self._vocabulary.tokenize(text) if isinstance(text, str) else self._given(text) for text in texts]
        for tokens in prompts:
            self._check_length(len(tokens), answer=0)
        self._adapters.apply(keys)
        return [Embedding(self._embedding(tokens), len(tokens)) for tokens in prompts]

    def unload(self) -> None:
        """Free the memory."""
        self._templates.close()
        self._open.clear()
        self._prefixes.forget()
        self._adapters.unload()
        self._weights.unload()

    def _use(self, uses: tuple[AdapterUse, ...]) -> tuple[AdapterKey, ...]:
        needed = {key.content for sequence in self._open if sequence.active for key in sequence.adapters}
        return self._adapters.keys(uses, needed=needed)

    def _tokens(self, prompt: Prompt, adapters: tuple[AdapterKey, ...]) -> tuple[int, ...]:
        if isinstance(prompt, Conversation):
            rendered = render_conversation(
                self._templates,
                prompt,
                template=self._adapters.chat_template(adapters)
                or self._vocabulary.chat_template(tools=bool(prompt.tools)),
                bos_text=self._vocabulary.bos_text,
                eos_text=self._vocabulary.eos_text,
                model=self._name,
            )
            tokens = self._vocabulary.tokenize_rendered(rendered)
        elif isinstance(prompt, Text):
            tokens = self._vocabulary.tokenize(prompt.text)
        elif isinstance(prompt, Infill):
            tokens = self._vocabulary.tokenize_gap(prompt.prefix, prompt.suffix)
        else:
            tokens = self._given(prompt.ids)
        return tokens or self._vocabulary.beginning

    def _given(self, ids: Sequence[int]) -> tuple[int, ...]:
        """Return tokens that a client made, all of which must exist."""
        size = self._weights.vocabulary_size
        for token in ids:
            if not 0 <= token < size:
                raise WorkbenchError(
                    "not-supported",
                    f"The prompt has the token {token}, but {self._name} has tokens from 0 to {size - 1}.",
                    "Send tokens of this model's own tokenizer, or the text itself.",
                )
        return tuple(ids)

    def _check_length(self, prompt: int, *, answer: int) -> None:
        if prompt + answer > self.context_length:
            raise WorkbenchError(
                "context-exceeded",
                f"The prompt has {prompt:,} tokens, but the model's context holds {self.context_length:,} "
                "with the answer.",
                "Start a new conversation, shorten it, or choose a model with a longer context.",
            )

    def _write(self, sequences: Sequence[TransformersSequence]) -> None:
        """Compute the newest token of each, in a pass of always the same width."""
        fill = self._rows - len(sequences)
        logits = self._weights.logits(
            [*(sequence.next_tokens()[0] for sequence in sequences), *[0] * fill],
            [*(sequence.memory.length for sequence in sequences), *[0] * fill],
            [*(Span(sequence.memory, 1) for sequence in sequences), *[Span(None, 1)] * fill],
            range(self._rows),
        )
        for sequence, row in zip(sequences, logits.numpy(), strict=False):
            sequence.accept(row)

    def _read(self, sequence: TransformersSequence) -> None:
        """Compute a block of a prompt, and choose the first token of the answer after the last one."""
        start, block = sequence.memory.length, sequence.next_tokens()
        span = Span(sequence.memory, len(block))
        logits = self._weights.logits(block, range(start, start + len(block)), [span], [len(block) - 1])
        if sequence.memory.length == sequence.prompt_tokens:
            self._prefixes.keep(sequence.adapters, sequence.prompt, sequence.memory)
            sequence.accept(logits.numpy()[0])

    def _embedding(self, tokens: tuple[int, ...]) -> list[float]:
        memory, total = KeyValues(len(tokens)), torch.zeros(())
        for start in range(0, len(tokens), BLOCK):
            block = tokens[start : start + BLOCK]
            states = self._weights.hidden(block, range(start, start + len(block)), [Span(memory, len(block))])
            total = total + states.sum(dim=0)
        vector: list[float] = normalize(total, dim=0).tolist()
        return vector


def _by_adapters(
    sequences: list[TransformersSequence],
) -> Iterator[tuple[tuple[AdapterKey, ...], list[TransformersSequence]]]:
    """Return the sequences by what they are computed with, in the order of their first."""
    first = {sequence.adapters: place for place, sequence in reversed(list(enumerate(sequences)))}
    ordered = sorted(sequences, key=lambda sequence: first[sequence.adapters])
    for adapters, group in groupby(ordered, key=lambda sequence: sequence.adapters):
        yield adapters, list(group)
