"""An ONNX base that answers, on ONNX Runtime GenAI."""

from collections.abc import Sequence
from pathlib import Path

from peft_engine.inference.contract import AdapterUse, Embedding
from peft_engine.inference.lone import LoneEngine
from peft_engine.inference.onnx.providers import Provider
from peft_engine.inference.onnx.weights import Weights
from peft_schemas.errors import WorkbenchError


class OnnxEngine(LoneEngine):
    """One base in memory. It takes no adapters and does not embed. Driven by one thread."""

    _runtime = "ONNX Runtime"
    _form = "an ONNX graph"

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
        super().__init__(
            path,
            lambda: Weights(path, threads=threads, provider=provider),
            context_length=context_length,
            slots=slots,
        )

    def embed(self, texts: Sequence[str | Sequence[int]], adapters: tuple[AdapterUse, ...]) -> list[Embedding]:
        """Refuse. Contract: `Engine.embed`."""
        self._prompts.texts(texts)
        raise WorkbenchError(
            "not-supported",
            f"{self._name} cannot embed: a graph for ONNX Runtime GenAI gives out logits, not hidden states.",
            "Choose a GGUF or safetensors model.",
        )
