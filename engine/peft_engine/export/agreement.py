"""Whether a converted model still says what its source says: the same tokens, and nearly the same expectations."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from peft_engine.export.data import conversion_data
from peft_engine.export.native import NativeModel
from peft_engine.export.refusal import NotConvertible

Tokenize = Callable[[str], list[int]]
Logits = Callable[[list[int]], NDArray[np.float32]]


def agreement_with_folder(folder: Path, result: NativeModel, adapter: Path | None = None) -> float:
    """Compare a GGUF model with the folder that it was made from, or with that and a PEFT adapter.

    Returns:
        How far the result is off: the root mean square of the difference of the logits over that of the source's.

    Raises:
        NotConvertible: The two cut a text into different tokens.
    """
    disable_progress_bar()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    if adapter is not None:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, adapter)
    model.eval()

    def logits(tokens: list[int]) -> NDArray[np.float32]:
        with torch.inference_mode():
            found: NDArray[np.float32] = model(torch.tensor([tokens])).logits[0].float().numpy()
        return found

    end = tokenizer.eos_token or ""
    return _agreement(lambda text: list(tokenizer(text).input_ids), logits, result, end)


def agreement_with_gguf(source: NativeModel, result: NativeModel) -> float:
    """Compare a GGUF model with the GGUF model that it was made from, as `agreement_with_folder`."""
    return _agreement(source.tokenize, source.logits, result, "")


def require_agreement(error: float, kind: str) -> None:
    """See that a result is as near to its source as its type allows.

    Raises:
        NotConvertible: It is not.
    """
    most = conversion_data().types[kind].tolerance
    if not error <= most:
        raise NotConvertible(
            f"The result does not say what its source says: its logits are off by {error:.1%}, "
            f"and {kind} allows {most:.0%}."
        )


def _agreement(tokenize: Tokenize, logits: Logits, result: NativeModel, end: str) -> float:
    wrong = right = 0.0
    for text in conversion_data().texts:
        tokens = tokenize(text + end)
        found = result.tokenize(text + end)
        if tokens != found:
            place = next(
                (i for i, pair in enumerate(zip(tokens, found, strict=False)) if pair[0] != pair[1]), len(found)
            )
            raise NotConvertible(f"The result cuts the text {text[:30]!r} into other tokens, from token {place} on.")
        expected = _centred(logits(tokens))
        difference = _centred(result.logits(tokens))[:, : expected.shape[1]] - expected
        wrong, right = wrong + float((difference**2).mean()), right + float((expected**2).mean())
    return float((wrong / right) ** 0.5)


def _centred(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return logits without their mean, which changes no probability."""
    exact = logits.astype(np.float64)
    centred: NDArray[np.float64] = exact - exact.mean(axis=1, keepdims=True)
    return centred
