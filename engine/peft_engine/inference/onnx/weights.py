"""An ONNX model in memory, and the K/V of its sequences."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime_genai as genai

from peft_engine.inference.onnx.providers import Provider, require_provider
from peft_engine.inference.sampler import Logits
from peft_engine.models.damage import DamagedFile
from peft_engine.models.formats.genai import GenaiModel, read_genai
from peft_engine.models.formats.onnx import check_onnx
from peft_schemas.errors import WorkbenchError

_KV_BYTES = 4
"""An element of K/V, counted as the largest type that graphs keep them in."""


class Weights:
    """The model. Each sequence is computed by a generator of its own, so that none depends on another."""

    def __init__(self, folder: Path, *, threads: int, provider: Provider) -> None:
        """Load a folder.

        Args:
            folder: Has `genai_config.json`, the graph and what the graph keeps beside itself.
            threads: Processor threads that compute.
            provider: What computes.

        Raises:
            WorkbenchError: The files are damaged, or ask for what is not let through (`model-damaged`), the runtime
                refuses them (`model-unreadable`), or the provider is not there (`not-supported`).
        """
        require_provider(provider)
        self._described = described = _described(folder)
        self.vocabulary_size = described.vocabulary_size
        self.ends = described.ends
        self.trained_context = described.context_length
        settings = {"intra_op_num_threads": threads, "inter_op_num_threads": 1}
        try:
            config = genai.Config(str(folder))
            config.clear_providers()
            if provider != "cpu":
                config.append_provider(provider)
            config.overlay(json.dumps({"model": {"decoder": {"session_options": settings}}}))
            self._model = genai.Model(config)
        except Exception as error:  # The runtime has no errors of its own kind.
            reason = str(error).strip().partition("\n")[0]
            raise WorkbenchError(
                "model-unreadable",
                f"ONNX Runtime GenAI cannot load {folder.name}: {reason}.",
                "Export the model again with `python -m onnxruntime_genai.models.builder`, or take it as GGUF.",
            ) from error
        self.memory_bytes = described.graph.stat().st_size + sum(
            file.stat().st_size for file in check_onnx(described.graph)
        )
        """What the weights take."""

    def begin(self, capacity: int) -> "KeyValues":
        """Return an empty memory for one sequence.

        Args:
            capacity: The most tokens that it will hold.
        """
        params = genai.GeneratorParams(self._model)
        params.set_search_options(max_length=capacity, batch_size=1, num_beams=1)
        return KeyValues(genai.Generator(self._model, params), capacity * self._described.kv_elements * _KV_BYTES)

    def unload(self) -> None:
        """Free the memory. No sequence may be left."""
        del self._model


class KeyValues:
    """What the model keeps of one sequence."""

    def __init__(self, generator: "genai.Generator", memory_bytes: int) -> None:
        """Begin with nothing.

        Args:
            generator: The runtime's, whose own choice of tokens is never asked for.
            memory_bytes: What it takes at most.
        """
        self._generator = generator
        self.memory_bytes = memory_bytes
        self.length = 0
        """Tokens held."""

    def compute(self, tokens: Sequence[int]) -> Logits:
        """Append tokens and return the logits, float32 [vocabulary], after the last one."""
        self._generator.append_tokens(np.array(tokens, np.int32))
        self.length += len(tokens)
        logits: Logits = np.asarray(self._generator.get_logits(), np.float32).reshape(-1)
        return logits


def _described(folder: Path) -> GenaiModel:
    try:
        described = read_genai(folder)
        check_onnx(described.graph)
    except (DamagedFile, OSError) as error:
        raise WorkbenchError(
            "model-damaged",
            f"{folder.name} cannot be loaded: {error}.",
            "Get the folder again, or export the model with `python -m onnxruntime_genai.models.builder`.",
        ) from error
    return described
