"""A GGUF base that gives several answers at once, each under adapters of its own."""

from collections.abc import Callable, Sequence
from pathlib import Path

from peft_engine.inference.answer import Answer
from peft_engine.inference.contract import AdapterUse, Capability, Embedding, GenerationRequest
from peft_engine.inference.llama.adapters import AdapterKey, Adapters, contents
from peft_engine.inference.llama.context import Context
from peft_engine.inference.llama.embedder import Embedder
from peft_engine.inference.llama.prefixes import Prefixes
from peft_engine.inference.llama.sequence import LlamaSequence
from peft_engine.inference.llama.together import Together
from peft_engine.inference.llama.turns import Turns
from peft_engine.inference.llama.weights import Weights
from peft_engine.inference.prompts import Prompts
from peft_engine.inference.reading import Reading
from peft_engine.inference.residency import OnProgress

_ADAPTER_SHARE = 1.0
"""What adapters may take together, relative to the base. One of rank 16 takes about a tenth of a small base."""


class LlamaEngine:
    """One base in memory with the adapters that were asked for. Driven by one thread."""

    def __init__(
        self,
        path: Path,
        *,
        context_length: int,
        threads: int,
        slots: int = 4,
        kept_bytes: int = 0,
        on_progress: OnProgress = lambda _: True,
    ) -> None:
        """Load a base.

        Args:
            path: The GGUF file.
            context_length: Tokens of prompt and answer together; less where the base knows less positions.
            threads: Processor threads that compute.
            slots: How many sequences can be open at once. Each has K/V memory for a whole context.
            kept_bytes: What the K/V of prompts that left their slot may take.
            on_progress: Told the share that is loaded; answers whether to go on.

        Raises:
            WorkbenchError: The file cannot be loaded (`model-unreadable`), memory is short (`out-of-memory`), or the
                load was given up (`load-cancelled`).
        """
        self._weights = Weights(path, on_progress)
        self.context_length = context_length = self._weights.longest(context_length)
        self._adapters = Adapters(self._weights, budget=int(_ADAPTER_SHARE * self._weights.memory_bytes))
        self._context = Context(self._weights, self._adapters, length=context_length, sequences=slots, threads=threads)
        self._embedder = Embedder(self._weights, self._adapters, length=context_length, threads=threads)
        self._together = Together(self._context, self._adapters)
        self._turns = Turns()
        self._reading = Reading()
        self._prefixes = Prefixes(self._context, slots=slots, kept_bytes=kept_bytes)
        self._prompts = Prompts(path.name, self._weights.vocabulary, context_length=context_length)
        self._open: list[LlamaSequence] = []

    @property
    def slots(self) -> int:
        """How many sequences can be open at once."""
        return len(self._prefixes.slots)

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the base can do beside completing text."""
        return self._prompts.capabilities | {"embeddings"}

    @property
    def memory_bytes(self) -> int:
        """What the engine takes: weights, K/V and adapters in memory now, and prompts that left their slot."""
        parts = (self._weights, self._context, self._embedder, self._adapters, self._prefixes.kept)
        return sum(part.memory_bytes for part in parts)

    @property
    def kept_bytes(self) -> int:
        """What of it prompts take that left their slot. Contract: `Engine.kept_bytes`."""
        return self._prefixes.kept.memory_bytes

    def forget_kept(self, size: int) -> None:
        """Free some of that. Contract: `Engine.forget_kept`."""
        self._prefixes.kept.forget(size)

    def ready(self, request: GenerationRequest, when_ready: Callable[[], None]) -> bool:
        """Tell whether a request can be opened without a long wait. Contract: `Engine.ready`."""
        return request.constraint is None or self._weights.vocabulary.late_guide.ready(when_ready)

    def open(self, request: GenerationRequest) -> LlamaSequence:
        """Prepare an answer. Contract: `Engine.open`."""
        key = self._key(request.adapters)
        prompt = self._prompts.tokens(request.prompt, template=self._adapters.chat_template(key))
        limit = self._prompts.limit(prompt, request.max_tokens)
        answer = Answer(self._weights.vocabulary, request, prompt, limit=limit)
        slot = self._prefixes.take(prompt, key)
        sequence = LlamaSequence(prompt, key, answer, slot, self._prefixes.slots)
        self._open.append(sequence)
        return sequence

    def step(self) -> None:
        """Advance the open sequences whose adapters have their turn. Contract: `Engine.step`.

        Next tokens under the same adapters share a batch. Each block of a prompt is a batch of its own, as in a cold
        run.
        """
        self._open = [sequence for sequence in self._open if sequence.active]
        reader = self._reading.next(self._open)
        if reader is not None and reader.waits and self._prefixes.look_again(reader.slot, reader.prompt):
            reader.begin()
            return
        going = [sequence for sequence in self._open if sequence is reader or not sequence.prompt_left]
        if not going:
            return
        key = self._turns.next([sequence.key for sequence in going])
        self._context.use(key)
        self._write([sequence for sequence in going if sequence.key == key and sequence is not reader], key)
        if reader is not None and reader.key == key:
            self._read(reader)

    def embed(self, texts: Sequence[str | Sequence[int]], adapters: tuple[AdapterUse, ...]) -> list[Embedding]:
        """Return the embedding of each text or token list. Contract: `Engine.embed`."""
        key = self._key(adapters)
        return [self._embedder.embed(prompt, key) for prompt in self._prompts.texts(texts)]

    def tokenize(self, text: str) -> list[int]:
        """Return the tokens of a text. Contract: `Engine.tokenize`."""
        return self._weights.vocabulary.tokenize(text)

    def unload(self) -> None:
        """Free the memory."""
        self._prompts.close()
        self.forget_kept(self.kept_bytes)
        self._embedder.free()
        self._context.free()
        self._weights.unload()

    def _key(self, uses: Sequence[AdapterUse]) -> AdapterKey:
        key = self._adapters.key(uses)
        needed = {content for sequence in self._open for content in contents(sequence.key)}
        self._adapters.forget_unused(
            {*needed, *contents(key), *contents(self._context.key), *contents(self._embedder.key)}
        )
        return key

    def _write(self, sequences: Sequence[LlamaSequence], key: AdapterKey) -> None:
        """Compute the newest token of each answer, and choose the next."""
        if sequences:
            rows = self._together.compute(key, [sequence.next_token() for sequence in sequences])
            for sequence, row in zip(sequences, rows, strict=True):
                sequence.computed_token(row)

    def _read(self, sequence: LlamaSequence) -> None:
        """Compute a block of a prompt, and choose the first token of the answer after the last one."""
        self._context.compute_block(sequence.number, sequence.position, sequence.next_block)
        self._reading.read()
        sequence.computed_block(self._context.row(-1))
