"""A safetensors model in memory."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM
from transformers.utils.logging import disable_progress_bar

from peft_engine.inference.transformers.attention import NAME, Span, attending
from peft_engine.inference.transformers.memory import KeyValues
from peft_engine.models.hf_config import read_hf_config
from peft_schemas.errors import WorkbenchError

_TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.15}
"""How far a logit may be from the library's own, relative to the largest, by the type that is computed with."""

_LAYER_TYPES = {"full_attention", "sliding_attention"}
"""Kinds of layers, as `layer_types` names them, that `attention` computes."""

_PARAMETERS_A_BYTE = 4
"""No way to store weights takes less than two bits for each."""

_TRIAL = 12
"""Tokens of the trial, in two parts, so that K/V of the first serve the second."""


class Weights:
    """The model, computing with attention that keeps sequences apart."""

    def __init__(self, folder: Path, *, threads: int) -> None:
        """Load a folder. Code that it brings along is never run, and nothing but safetensors is read.

        Args:
            folder: Has `config.json` and the weights in one file or several.
            threads: Processor threads that compute, in this whole process.

        Raises:
            WorkbenchError: The files are damaged or do not belong together (`model-unreadable`), memory is short
                (`out-of-memory`), or the family is computed in a way that this engine does not know (`not-supported`).
        """
        torch.set_num_threads(threads)
        disable_progress_bar()
        self.model: Any = _load(folder)
        self.model.eval().requires_grad_(False)
        config = self.model.config.get_text_config()
        self.dtype: torch.dtype = self.model.dtype
        self.vocabulary_size: int = self.model.get_output_embeddings().weight.shape[0]
        self.trained_context = _trained_context(config)
        ends = self.model.generation_config.eos_token_id
        self.ends: tuple[int, ...] = tuple(ends) if isinstance(ends, list) else (() if ends is None else (ends,))
        self._check(folder.name, config)

    @torch.inference_mode()
    def safe_rows(self, rows: int) -> int:
        """Return how many answers can share a pass so that none changes another by a bit: `rows`, or else 1.

        Libraries for matrices promise nothing of the kind, so it is tried.
        """
        tokens = [1, *range(5, 4 + rows)]
        first = self._row(tokens, 0)
        beside_others = self._row([1, *range(50, 49 + rows)], 0)
        elsewhere = self._row([*tokens[1:], 1], rows - 1)
        return rows if torch.equal(first, beside_others) and torch.equal(first, elsewhere) else 1

    def _row(self, tokens: list[int], place: int) -> torch.Tensor:
        """Return the logits of one of several answers that begin."""
        spans = [Span(KeyValues(1), 1) for _ in tokens]
        return self.logits(tokens, [0] * len(tokens), spans, range(len(tokens)))[place]

    @property
    def memory_bytes(self) -> int:
        """What the parameters take, those of adapters included. Tied ones count once."""
        return sum(parameter.numel() * parameter.element_size() for parameter in self.model.parameters())

    @torch.inference_mode()
    def logits(
        self, tokens: Sequence[int], positions: Sequence[int], spans: Sequence[Span], wanted: Sequence[int]
    ) -> torch.Tensor:
        """Compute tokens and return the logits, float32 [wanted, vocabulary], after some of them.

        Args:
            tokens: Of all spans, one after the other.
            positions: Where each stands in its sequence.
            spans: Whose they are.
            wanted: Places in `tokens`.
        """
        with attending(spans):
            output = self.model(
                input_ids=torch.tensor([tokens]),
                position_ids=torch.tensor([positions]),
                use_cache=False,
                logits_to_keep=torch.tensor(wanted),
            )
        logits: torch.Tensor = output.logits[0].float()
        return logits

    @torch.inference_mode()
    def hidden(self, tokens: Sequence[int], positions: Sequence[int], spans: Sequence[Span]) -> torch.Tensor:
        """Compute tokens and return the last layer's states after its norm, float32 [tokens, size]."""
        with attending(spans):
            output = self.model.base_model(
                input_ids=torch.tensor([tokens]), position_ids=torch.tensor([positions]), use_cache=False
            )
        states: torch.Tensor = output.last_hidden_state[0].float()
        return states

    def unload(self) -> None:
        """Free the memory."""
        self.model = None

    def _check(self, name: str, config: Any) -> None:
        """Compute a few tokens in two parts and compare with what the library itself computes from all of them."""
        unknown = set(getattr(config, "layer_types", None) or ()) - _LAYER_TYPES
        if unknown:
            raise _not_supported(name, config, f"layers of kind {', '.join(sorted(unknown))}")
        tokens = [(7 * place) % self.vocabulary_size for place in range(1, _TRIAL + 1)]
        with torch.inference_mode():
            expected = self.model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0, -1].float()
        memory, half, last = KeyValues(_TRIAL), _TRIAL // 2, _TRIAL - 1
        try:
            self.model.set_attn_implementation(NAME)
            for start, end in ((0, half), (half, last), (last, _TRIAL)):
                logits = self.logits(
                    tokens[start:end], range(start, end), [Span(memory, end - start)], [end - start - 1]
                )
        except (NotImplementedError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise _not_supported(name, config, f"{error}") from error
        if not (logits[0] - expected).abs().max() <= _TOLERANCE[self.dtype] * expected.abs().max():
            raise _not_supported(name, config, "an attention of its own")


def _load(folder: Path) -> Any:
    try:
        config = read_hf_config(folder)
        with torch.device("meta"):
            described = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
        _require_weights(folder, described)
        if not described._supports_sdpa:
            raise _not_supported(folder.name, config, "an attention of its own")
        config._attn_implementation = "sdpa"
        return AutoModelForCausalLM.from_pretrained(
            folder,
            config=config,
            dtype=_dtype(folder),
            attn_implementation="sdpa",
            trust_remote_code=False,
            use_safetensors=True,
            local_files_only=True,
        )
    except WorkbenchError:
        raise
    except MemoryError as error:
        raise WorkbenchError(
            "out-of-memory",
            f"There is no memory for {folder.name}.",
            "Close other programs, or serve a smaller model.",
        ) from error
    except Exception as error:  # A model's files can be wrong in any way.
        raise WorkbenchError(
            "model-unreadable",
            f"{folder.name} cannot be loaded: {str(error).strip().partition(chr(10))[0]}.",
            "Get the model's folder again; it needs config.json and safetensors files. Code that a model brings along "
            "is not run.",
        ) from error


def _require_weights(folder: Path, described: Any) -> None:
    """See that the files are large enough for the model described: the library would make up what is missing.

    Raises:
        ValueError: They are not.
    """
    parameters = sum(parameter.numel() for parameter in described.parameters())
    stored = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    if parameters > _PARAMETERS_A_BYTE * stored:
        raise ValueError(f"config.json describes {parameters:,} parameters, but the files have only {stored:,} bytes")


def _dtype(folder: Path) -> torch.dtype:
    """Return the type to compute with: bfloat16 where the weights are stored so and the processor multiplies it.

    On a processor with AMX, four rows in bfloat16 took as long as one, blocks of a prompt a seventh of float32's time.
    Where the processor only emulates it, it is slower than float32; and weights of other types would lose digits.
    """
    config = json.loads((folder / "config.json").read_bytes())
    stored = config.get("dtype") or config.get("torch_dtype")
    hardware = torch.cpu.get_capabilities()
    multiplied = hardware.get("amx_bf16") or hardware.get("avx512_bf16")
    return torch.bfloat16 if stored == "bfloat16" and multiplied else torch.float32


def _trained_context(config: Any) -> int:
    """Return how many tokens the model was made for.

    Where the rotation changes beyond a first length, that is the limit: it would depend on what else is computed.
    """
    rope = getattr(config, "rope_parameters", None) or {}
    if rope.get("rope_type") in ("dynamic", "longrope"):
        return int(rope.get("original_max_position_embeddings") or config.max_position_embeddings)
    return int(config.max_position_embeddings)


def _not_supported(name: str, config: Any, what: str) -> WorkbenchError:
    return WorkbenchError(
        "not-supported",
        f"{name} cannot be served from safetensors: its family, {config.model_type}, has {what}.",
        "Convert the model to GGUF and serve that.",
    )
