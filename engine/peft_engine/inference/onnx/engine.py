"""An ONNX base that answers, on ONNX Runtime GenAI."""

from collections.abc import Callable, Sequence
from pathlib import Path

from peft_engine.inference.answer import Answer
from peft_engine.inference.contract import AdapterUse, Capability, Embedding, GenerationRequest, PartRefused
from peft_engine.inference.hf_vocabulary import Vocabulary
from peft_engine.inference.onnx.providers import Provider
from peft_engine.inference.onnx.sequence import OnnxSequence
from peft_engine.inference.onnx.weights import Weights
from peft_engine.inference.prompts import Prompts
from peft_engine.inference.reading import Reading
from peft_schemas.errors import WorkbenchError


class OnnxEngine:
    """One base in memory. It takes no adapters and does not embed. Driven by one thread."""

    def __init__(
        self, path: Path, *, context_length: int, threads: int, provider: Provider = "cpu", slots: int = 4
    ) -> None:
        """Load a base.

        Args:
            path: The folder with `genai_config.json`, graph and tokenizer.
            context_length: Tokens of prompt and answer together; less where the model was made for less.
            threads: Processor threads that compute.
            provider: What computes.
            slots: How many sequences can be open at once.

        Raises:
            WorkbenchError: The folder cannot be loaded (`model-unreadable`, `model-damaged`), or the provider is not
                there (`not-supported`).
        """
        self.slots = slots
        self._name = path.name
        self._vocabulary = Vocabulary(path)
        self._weights = Weights(path, threads=threads, provider=provider)
        described = self._weights.described
        self._vocabulary.settle(size=described.vocabulary_size, ends=described.ends)
        self.context_length = min(context_length, described.context_length)
        self._open: list[OnnxSequence] = []
        self._reading = Reading()
        self._prompts = Prompts(path.name, self._vocabulary, context_length=self.context_length)

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the base can do beside completing text."""
        return self._prompts.capabilities

    @property
    def memory_bytes(self) -> int:
        """What the engine takes: weights and K/V."""
        return self._weights.memory_bytes + sum(sequence.memory_bytes for sequence in self._open)

    def ready(self, request: GenerationRequest, when_ready: Callable[[], None]) -> bool:
        """Tell that any request can be opened. Contract: `Engine.ready`."""
        return True

    def open(self, request: GenerationRequest) -> OnnxSequence:
        """Prepare an answer. Contract: `Engine.open`."""
        self._refuse_adapters(request.adapters)
        prompt = self._prompts.tokens(request.prompt, template=None)
        limit = self._prompts.limit(prompt, request.max_tokens)
        answer = Answer(self._vocabulary, request, prompt, limit=limit)
        sequence = OnnxSequence(prompt, self._weights.begin(len(prompt) + limit), answer)
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
            except Exception as error:  # The runtime has no errors of its own kind.
                raise WorkbenchError(
                    "serve-failed",
                    f"ONNX Runtime failed to compute {self._name}: {str(error).strip().partition(chr(10))[0]}.",
                    "Load the model again; if it fails again, take it as GGUF.",
                ) from error

    def embed(self, texts: Sequence[str | Sequence[int]], adapters: tuple[AdapterUse, ...]) -> list[Embedding]:
        """Refuse. Contract: `Engine.embed`."""
        self._prompts.texts(texts)
        raise WorkbenchError(
            "not-supported",
            f"{self._name} cannot embed: a graph for ONNX Runtime GenAI gives out logits, not hidden states.",
            "Choose a GGUF or safetensors model.",
        )

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
                f"{self._name} is an ONNX graph, to which no adapter can be added here.",
                "Serve the base as GGUF or safetensors, or merge the adapter and export the result.",
            )
