"""Choosing the next token. One module for every engine, so that equal logits and an equal seed give equal answers."""

from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from peft_engine.inference.contract import Sampling
from peft_schemas.errors import WorkbenchError

Logits = NDArray[np.float32]

_LIKELY = 512
"""How many tokens are put in order at first to find those of top-p, which are nearly always fewer. Sorting the whole
vocabulary takes milliseconds."""


class Sampler:
    """Chooses the tokens of one answer."""

    def __init__(self, sampling: Sampling, prompt: Iterable[int]) -> None:
        """Begin an answer to a prompt."""
        self._sampling = sampling
        self._random = np.random.default_rng(sampling.seed % 2**64)
        self._seen = set(prompt) if sampling.repetition_penalty != 1 else set[int]()
        self._answer: Counter[int] = Counter()
        self._biases = bool(
            sampling.repetition_penalty != 1
            or sampling.frequency_penalty
            or sampling.presence_penalty
            or sampling.logit_bias
        )

    def choose(self, logits: Logits, allowed: NDArray[np.bool_] | None) -> int:
        """Return the next token, which is then part of the answer.

        Args:
            logits: Of the whole vocabulary. Not changed.
            allowed: Which tokens a constraint leaves; None for all.

        Raises:
            WorkbenchError: They are no numbers (`model-unreadable`).
        """
        if self._biases:
            logits = self._biased(logits)
        if allowed is not None:
            logits = np.where(allowed, logits, np.float32(-np.inf))
        likeliest = int(logits.argmax())
        # What is no number counts as the largest of all.
        if np.isnan(logits[likeliest]):
            raise _no_numbers()
        token = likeliest if self._sampling.temperature == 0 else self._draw(logits)
        if self._biases:
            self._answer[token] += 1
            self._seen.add(token)
        return token

    def _biased(self, logits: Logits) -> Logits:
        sampling, biased = self._sampling, logits.copy()
        if sampling.repetition_penalty != 1 and self._seen:
            seen = np.fromiter(self._seen, np.int64)
            factor = sampling.repetition_penalty
            biased[seen] = np.where(biased[seen] > 0, biased[seen] / factor, biased[seen] * factor)
        for token, count in self._answer.items():
            biased[token] -= sampling.frequency_penalty * count + sampling.presence_penalty
        for token, bias in sampling.logit_bias:
            biased[token] += bias
        return biased

    def _draw(self, logits: Logits) -> int:
        """Draw one of the tokens that top-k, top-p and min-p leave, after temperature."""
        sampling = self._sampling
        scaled = logits.astype(np.float64) / sampling.temperature
        probabilities = np.exp(scaled - scaled.max())
        probabilities /= probabilities.sum()
        if not sampling.top_k and sampling.top_p >= 1:
            if sampling.min_p > 0:
                probabilities[probabilities < sampling.min_p * probabilities.max()] = 0
            return self._pick(probabilities)
        count = min(sampling.top_k or _LIKELY, len(probabilities))
        order = most_likely(probabilities, count)
        if not sampling.top_k and probabilities[order].sum() < sampling.top_p:
            order = most_likely(probabilities, len(probabilities))
        likely = probabilities[order]
        if sampling.top_p < 1:
            # The token that reaches the sum is still one of them.
            likely = likely[: int(np.searchsorted(likely.cumsum(), sampling.top_p)) + 1]
        if sampling.min_p > 0:
            likely = likely[likely >= sampling.min_p * likely[0]]
        return int(order[self._pick(likely)])

    def _pick(self, weights: NDArray[np.float64]) -> int:
        """Return a place, each as likely as its weight."""
        sums = weights.cumsum()
        place = int(np.searchsorted(sums, self._random.random() * sums[-1], side="right"))
        # The product may round up to the sum itself, behind which only weights of 0 may stand.
        return min(place, int(np.searchsorted(sums, sums[-1])))


def _no_numbers() -> WorkbenchError:
    return WorkbenchError(
        "model-unreadable",
        "The model computes no numbers: its weights, or those of its adapter, are damaged.",
        "Get the file again, or choose another model.",
    )


def most_likely(values: NDArray[np.floating], count: int) -> NDArray[np.intp]:
    """Return where the `count` largest values are, the largest first and equal ones by place."""
    if count >= len(values):
        return np.argsort(-values, kind="stable")
    chosen = np.sort(np.argpartition(-values, count)[:count])
    return chosen[np.argsort(-values[chosen], kind="stable")]


def log_probabilities(logits: Logits) -> NDArray[np.float64]:
    """Return the natural logarithm of each token's probability."""
    shifted = logits.astype(np.float64) - logits.max()
    result: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum())
    return result
