"""An MLX base that answers."""

from collections.abc import Sequence
from pathlib import Path

from peft_engine.inference.contract import AdapterUse, Capability, Embedding
from peft_engine.inference.lone import LoneEngine
from peft_engine.inference.mlx.weights import Weights


class MlxEngine(LoneEngine):
    """One base in memory. It takes no adapters. Driven by one thread."""

    _runtime = "MLX"
    _form = "a model for MLX"
    _weights: Weights

    def __init__(self, path: Path, *, context_length: int, slots: int = 4) -> None:
        """Load a base.

        Args:
            path: The folder with `config.json`, weights and tokenizer.
            context_length: Tokens of prompt and answer together; less where the model was made for less.
            slots: How many sequences can be open at once.

        Raises:
            WorkbenchError: The folder cannot be loaded (`model-unreadable`, `model-damaged`, `model-truncated`,
                `model-incomplete`), or its family is not one that is computed here (`not-supported`).
        """
        super().__init__(path, lambda: Weights(path), context_length=context_length, slots=slots)

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the base can do beside completing text."""
        return super().capabilities | {"embeddings"}

    def embed(self, texts: Sequence[str | Sequence[int]], adapters: tuple[AdapterUse, ...]) -> list[Embedding]:
        """Return the embedding of each text or token list. Contract: `Engine.embed`."""
        self._refuse_adapters(adapters)
        return [Embedding(self._weights.embedding(tokens), len(tokens)) for tokens in self._prompts.texts(texts)]
