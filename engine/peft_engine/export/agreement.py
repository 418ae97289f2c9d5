"""Whether a converted model still says what its source says: the same tokens, and nearly the same expectations."""

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from peft_engine.models.convertible import conversion_data
from peft_engine.models.hf_config import read_hf_config
from peft_engine.models.refusal import NotConvertible
from peft_engine.numerics import settle_first_call


class Speaking(Protocol):
    """A model that can be asked what it expects."""

    def tokenize(self, text: str) -> list[int]:
        """Return the tokens of a text, with what the model puts before and after each text."""

    def logits(self, tokens: list[int]) -> NDArray[np.float32]:
        """Return what is expected after each token: one row a token, one column a word of the vocabulary."""


class TorchModel:
    """A model folder as Transformers computes with it, in float32."""

    def __init__(self, folder: Path, adapter: Path | None = None) -> None:
        """Load it, with a PEFT adapter on top where there is one."""
        disable_progress_bar()
        settle_first_call()
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self._model: Any = AutoModelForCausalLM.from_pretrained(
            folder, config=read_hf_config(folder), dtype=torch.float32
        )
        if adapter is not None:
            from peft import PeftModel

            self._model = PeftModel.from_pretrained(self._model, adapter)
        self._model.eval()

    def tokenize(self, text: str) -> list[int]:
        """Return the tokens of a text."""
        return list(self._tokenizer(text).input_ids)

    def logits(self, tokens: list[int]) -> NDArray[np.float32]:
        """Return what is expected after each token."""
        with torch.inference_mode():
            found: NDArray[np.float32] = self._model(torch.tensor([tokens])).logits[0].float().numpy()
        return found


def difference(source: Speaking, result: Speaking) -> float:
    """Compare two models on the texts of `conversion.yaml`.

    Returns:
        The root mean square of the difference of the logits over that of the source's, both without their mean.

    Raises:
        NotConvertible: The two cut a text into different tokens.
    """
    wrong = right = 0.0
    for text in conversion_data().texts:
        tokens = source.tokenize(text)
        if tokens != result.tokenize(text):
            raise NotConvertible(f"The result cuts the text {text[:30]!r} into other tokens than its source.")
        expected = _centred(source.logits(tokens))
        off = _centred(result.logits(tokens))[:, : expected.shape[1]] - expected
        wrong, right = wrong + float((off**2).mean()), right + float((expected**2).mean())
    return float((wrong / right) ** 0.5)


def require_agreement(off: float, kind: str) -> None:
    """See that a result is as near to its source as its type allows.

    Raises:
        NotConvertible: It is not.
    """
    most = conversion_data().types[kind].tolerance
    if not off <= most:
        raise NotConvertible(
            f"The result does not say what its source says: its logits are off by {off:.1%}, "
            f"and {kind} allows {most:.0%}."
        )


def _centred(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return logits without their mean, which changes no probability."""
    exact = logits.astype(np.float64)
    centred: NDArray[np.float64] = exact - exact.mean(axis=1, keepdims=True)
    return centred
