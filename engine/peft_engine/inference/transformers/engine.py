"""A safetensors base that answers under any PEFT adapter."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

import torch
from torch.nn.functional import normalize

from peft_engine.inference.answer import Answer
from peft_engine.inference.contract import AdapterUse, Capability, Embedding, GenerationRequest
from peft_engine.inference.hf_vocabulary import Vocabulary
from peft_engine.inference.prompts import Prompts
from peft_engine.inference.reading import Reading
from peft_engine.inference.transformers.adapters import AdapterKey, Adapters
from peft_engine.inference.transformers.attention import Span
from peft_engine.inference.transformers.memory import BLOCK, KeyValues, Prefixes
from peft_engine.inference.transformers.sequence import TransformersSequence
from peft_engine.inference.transformers.weights import Weights
from peft_engine.numerics import settle_first_call

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
        settle_first_call()
        self.slots = slots
        self._vocabulary = Vocabulary(path)
        self._weights = Weights(path, threads=threads)
        self._vocabulary.settle(size=self._weights.vocabulary_size, ends=self._weights.ends)
        self.context_length = min(context_length, self._weights.trained_context)
        self._adapters = Adapters(self._weights.model)
        self._prefixes = Prefixes(room=2 * self.context_length)
        self._rows = self._weights.safe_rows(_FLOAT32_ROWS if self._weights.dtype == torch.float32 else slots)
        self._reading = Reading()
        self._open: list[TransformersSequence] = []
        self._prompts = Prompts(path.name, self._vocabulary, context_length=self.context_length)

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the base can do beside completing text."""
        return self._prompts.capabilities | {"embeddings"}

    @property
    def memory_bytes(self) -> int:
        """What the engine takes: weights, adapters and K/V in memory now."""
        answers = sum(sequence.memory.memory_bytes for sequence in self._open)
        return self._weights.memory_bytes + self._prefixes.memory_bytes + answers

    @property
    def kept_bytes(self) -> int:
        """What of it earlier prompts take. Contract: `Engine.kept_bytes`."""
        return self._prefixes.memory_bytes

    def forget_kept(self, size: int) -> None:
        """Free some of that. Contract: `Engine.forget_kept`."""
        self._prefixes.forget(size)

    def ready(self, request: GenerationRequest, when_ready: Callable[[], None]) -> bool:
        """Tell that any request can be opened. Contract: `Engine.ready`."""
        return True

    def open(self, request: GenerationRequest) -> TransformersSequence:
        """Prepare an answer. Contract: `Engine.open`."""
        adapters = self._use(request.adapters)
        prompt = self._prompts.tokens(request.prompt, template=self._adapters.chat_template(adapters))
        limit = self._prompts.limit(prompt, request.max_tokens)
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
        reader = self._reading.next(active)
        going = [sequence for sequence in active if sequence is reader or not sequence.prompt_left]
        for adapters, group in _by_adapters(going):
            self._adapters.apply(adapters)
            writing = [sequence for sequence in group if sequence is not reader]
            for start in range(0, len(writing), self._rows):
                self._write(writing[start : start + self._rows])
            if reader in group:
                self._read(reader)

    def embed(self, texts: Sequence[str | Sequence[int]], adapters: tuple[AdapterUse, ...]) -> list[Embedding]:
        """Return the embedding of each text or token list. Contract: `Engine.embed`."""
        keys = self._use(adapters)
        prompts = self._prompts.texts(texts)
        self._adapters.apply(keys)
        return [Embedding(self._embedding(tokens), len(tokens)) for tokens in prompts]

    def tokenize(self, text: str) -> tuple[int, ...]:
        """Return the tokens of a text. Contract: `Engine.tokenize`."""
        return self._vocabulary.tokenize(text)

    def unload(self) -> None:
        """Free the memory."""
        self._prompts.close()
        self._open.clear()
        self._prefixes.forget(self._prefixes.memory_bytes)
        self._adapters.unload()
        self._weights.unload()

    def _use(self, uses: tuple[AdapterUse, ...]) -> tuple[AdapterKey, ...]:
        needed = {key.content for sequence in self._open if sequence.active for key in sequence.adapters}
        return self._adapters.keys(uses, needed=needed)

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
        self._reading.read()
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
