"""An MLX model in memory, and the K/V of its sequences."""

import gc
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
from mlx.nn.layers.quantized import quantize
from mlx.utils import tree_flatten
from mlx_lm.models.cache import KVCache
from mlx_lm.utils import MODEL_REMAPPING, infer_quant_config

from peft_engine.inference.mlx.config import ends_of, read_mlx_config, trained_context
from peft_engine.inference.sampler import Logits
from peft_engine.models.formats import detect
from peft_engine.models.formats.archives import zip_names
from peft_engine.models.formats.npz import read_npz
from peft_engine.models.validation import require_sound
from peft_schemas.errors import WorkbenchError

# On a processor MLX would write C++ to a folder that all users of the machine share, have it compiled and load the
# result.
mx.disable_compile()


class Weights:
    """The model. Each sequence is computed by itself, so that none depends on another."""

    def __init__(self, folder: Path) -> None:
        """Load a folder. Code that it brings along is never run, and no pickle is read.

        Args:
            folder: Has `config.json` and the weights, in safetensors files or NumPy's archives.

        Raises:
            WorkbenchError: The files are damaged or do not belong together (`model-unreadable`, `model-damaged`, …), or
                the family is not one that is computed here (`not-supported`).
        """
        require_sound(folder)
        try:
            config = read_mlx_config(folder)
            self.trained_context = trained_context(config)
            self.ends = ends_of(folder, config)
            self._model = _load(config, _tensors(folder))
        except WorkbenchError:
            raise
        except Exception as error:  # A model's files can be wrong in any way.
            raise WorkbenchError(
                "model-unreadable",
                f"MLX cannot load {folder.name}: {str(error).strip().partition(chr(10))[0]}.",
                "Get the folder again, or make it again with `python -m mlx_lm convert`.",
            ) from error
        self.vocabulary_size = int(config["vocab_size"])
        held: Any = tree_flatten(self._model.parameters())
        self.memory_bytes = sum(tensor.nbytes for _, tensor in held)
        """What the weights take."""

    def begin(self, capacity: int) -> "KeyValues":
        """Return an empty memory for one sequence, which grows as tokens come.

        Args:
            capacity: The most tokens that it will hold.
        """
        return KeyValues(self._model)

    def embedding(self, tokens: Sequence[int]) -> list[float]:
        """Return the mean of the last hidden states, scaled to length 1."""
        mean = self._model.model(mx.array([tokens]))[0].astype(mx.float32).mean(axis=0)
        vector: list[float] = (mean / mx.linalg.norm(mean)).tolist()
        return vector

    def unload(self) -> None:
        """Free the memory. No sequence may be left."""
        del self._model
        # Modules know each other. What is freed goes to MLX's own store, which is emptied then.
        gc.collect()
        mx.clear_cache()


class KeyValues:
    """What the model keeps of one sequence."""

    def __init__(self, model: Any) -> None:
        """Begin with nothing."""
        self._model = model
        self._layers = [KVCache() for _ in model.layers]
        self.length = 0
        """Tokens held."""

    @property
    def memory_bytes(self) -> int:
        """What they take."""
        return sum(layer.nbytes for layer in self._layers)

    def compute(self, tokens: Sequence[int]) -> Logits:
        """Append tokens and return the logits, float32 [vocabulary], after the last one."""
        logits = self._model(mx.array([list(tokens)]), cache=self._layers)[0, -1].astype(mx.float32)
        self.length += len(tokens)
        return np.array(logits)


def _tensors(folder: Path) -> dict[str, mx.array]:
    """Return the tensors of all files. Those of safetensors are read from the disk when they are needed."""
    tensors: dict[str, mx.array] = {}
    for file in detect(folder).files:
        if zip_names(file) is None:
            loaded: Any = mx.load(str(file), format="safetensors")
            tensors.update(loaded)
        else:
            tensors.update({name: mx.array(numbers) for name, numbers in read_npz(file)})
    return tensors


def _load(config: dict[str, Any], tensors: dict[str, mx.array]) -> Any:
    family = config["model_type"]
    library = import_module(f"mlx_lm.models.{MODEL_REMAPPING.get(family, family)}")
    model = library.Model(library.ModelArgs.from_dict(config))
    tensors = model.sanitize(tensors)
    if config["quantization"]:
        _pack(model, config["quantization"], tensors)
    model.load_weights(list(tensors.items()), strict=True)
    if mx.default_device() == mx.cpu:
        # A processor computes with sixteen bits in software, slowly. Packed weights stay packed.
        model.set_dtype(mx.float32)
    model.eval()
    mx.eval(model.parameters())
    return model


def _pack(model: Any, packing: dict[str, Any], tensors: dict[str, mx.array]) -> None:
    """Give the model packed layers where the weights are packed; layers may be named that are packed otherwise."""

    def packed(path: str, module: Any) -> bool | dict[str, Any]:
        if path in packing:
            named: bool | dict[str, Any] = packing[path]
            return named
        if not hasattr(module, "to_quantized") or f"{path}.scales" not in tensors:
            return False
        found: dict[str, Any] = infer_quant_config(path, module, tensors)
        return found

    quantize(model, group_size=packing["group_size"], bits=packing["bits"], class_predicate=packed)
