"""A base whose runtime computes one sequence at a time. It takes no adapters."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path

from peft_engine.inference.answer import Answer
from peft_engine.inference.contract import AdapterUse, Capability, Embedding, GenerationRequest, PartRefused
from peft_engine.inference.hf_vocabulary import Vocabulary
from peft_engine.inference.lone.sequence import LoneSequence
from peft_engine.inference.lone.weights import Weights
from peft_engine.inference.prompts import Prompts
from peft_engine.inference.reading import Reading
from peft_schemas.errors import WorkbenchError


class LoneEngine(ABC):
    """One base in memory. Driven by one thread. A runtime's own says how it is loaded, and what it is called."""

    def __init__(self, path: Path, load: Callable[[], Weights], *, context_length: int, slots: int) -> None:
        """Load a base.

        Args:
            path: The folder with model and tokenizer.
            load: Loads the model, once the tokenizer has been read.
            context_length: Tokens of prompt and answer together; less where the model was made for less.
            slots: How many sequences can be open at once.

        Raises:
            WorkbenchError: The tokenizer cannot be read (`model-unreadable`), or what `load` raises.
        """
        self.slots = slots
        self._name = path.name
        self._vocabulary = Vocabulary(path)
        self._weights = load()
        self._vocabulary.settle(size=self._weights.vocabulary_size, ends=self._weights.ends)
        self.context_length = min(context_length, self._weights.trained_context)
        self._open: list[LoneSequence] = []
        self._reading = Reading()
        self._prompts = Prompts(path.name, self._vocabulary, context_length=self.context_length)

    @property
    @abstractmethod
    def _runtime(self) -> str:
        """What the runtime is called."""

    @property
    @abstractmethod
    def _form(self) -> str:
        """What the base is, as a noun: that to which no adapter can be added."""

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the base can do beside completing text."""
        return self._prompts.capabilities

    @property
    def memory_bytes(self) -> int:
        """What the engine takes: weights and K/V."""
        return self._weights.memory_bytes + sum(sequence.memory_bytes for sequence in self._open)

    @property
    def kept_bytes(self) -> int:
        """What of it only saves time: nothing. Contract: `Engine.kept_bytes`."""
        return 0

    def forget_kept(self, size: int) -> None:
        """Return: there is nothing. Contract: `Engine.forget_kept`."""
        return

    def ready(self, request: GenerationRequest, when_ready: Callable[[], None]) -> bool:
        """Tell that any request can be opened. Contract: `Engine.ready`."""
        return True

    def open(self, request: GenerationRequest) -> LoneSequence:
        """Prepare an answer. Contract: `Engine.open`."""
        self._refuse_adapters(request.adapters)
        prompt = self._prompts.tokens(request.prompt, template=None)
        limit = self._prompts.limit(prompt, request.max_tokens)
        answer = Answer(self._vocabulary, request, prompt, limit=limit)
        sequence = LoneSequence(prompt, self._weights.begin(len(prompt) + limit), answer)
        self._open.append(sequence)
        return sequence

    def step(self) -> None:
        """Advance each open sequence. Contract: `Engine.step`."""
        self._open = [sequence for sequence in self._open if sequence.active]
        reader = self._reading.next(self._open)
        if reader is not None:
            self._reading.read()
        for sequence in self._open:
            if sequence.prompt_left and sequence is not reader:
                continue
            try:
                sequence.step()
            except Exception as error:  # The runtimes have no errors of their own kind.
                raise WorkbenchError(
                    "serve-failed",
                    f"{self._runtime} failed to compute {self._name}: {str(error).strip().partition(chr(10))[0]}.",
                    "Load the model again; if it fails again, take it as GGUF.",
                ) from error

    @abstractmethod
    def embed(self, texts: Sequence[str | Sequence[int]], adapters: tuple[AdapterUse, ...]) -> list[Embedding]:
        """Return the embedding of each text or token list. Contract: `Engine.embed`."""

    def tokenize(self, text: str) -> tuple[int, ...]:
        """Return the tokens of a text. Contract: `Engine.tokenize`."""
        return self._vocabulary.tokenize(text)

    def unload(self) -> None:
        """Free the memory."""
        self._prompts.close()
        for sequence in self._open:
            sequence.close()
        self._open.clear()
        self._weights.unload()

    def _refuse_adapters(self, adapters: tuple[AdapterUse, ...]) -> None:
        if any(use.scale for use in adapters):
            raise PartRefused(
                "model",
                f"{self._name} is {self._form}, to which no adapter can be added here.",
                "Serve the base as GGUF or safetensors, or merge the adapter and export the result.",
            )
