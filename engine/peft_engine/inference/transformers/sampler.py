"""Choosing the next token."""

from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from peft_engine.inference.contract import Sampling

Logits = NDArray[np.float32]


class Sampler:
    """Chooses the tokens of one answer."""

    def __init__(self, sampling: Sampling, prompt: Iterable[int]) -> None:
        """Begin an answer to a prompt."""
        self._sampling = sampling
        self._random = np.random.default_rng(sampling.seed % 2**64)
        self._seen = set(prompt) if sampling.repetition_penalty != 1 else set[int]()
        self._answer: Counter[int] = Counter()

    def choose(self, logits: Logits, allowed: NDArray[np.bool_] | None) -> int:
        """Return the next token, which is then part of the answer.

        Args:
            logits: Of the whole vocabulary.
            allowed: Which tokens a constraint leaves; None for all.
        """
        biased = self._biased(logits)
        if allowed is not None:
            biased = np.where(allowed, biased, -np.inf)
        token = int(biased.argmax()) if self._sampling.temperature == 0 else self._draw(biased)
        self._answer[token] += 1
        self._seen.add(token)
        return token

    def _biased(self, logits: Logits) -> Logits:
        """Apply penalties and bias, each of which is off by default."""
        sampling, biased = self._sampling, logits.copy()
        if sampling.repetition_penalty != 1:
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
        order = np.argsort(-scaled, kind="stable")
        probabilities = np.exp(scaled[order] - scaled[order[0]])
        probabilities /= probabilities.sum()
        count = len(order) if sampling.top_k == 0 else min(sampling.top_k, len(order))
        if sampling.top_p < 1:
            # The token that reaches the sum is still one of them.
            count = min(count, int(np.searchsorted(probabilities.cumsum(), sampling.top_p)) + 1)
        if sampling.min_p > 0:
            count = min(count, int((probabilities >= sampling.min_p * probabilities[0]).sum()))
        sums = probabilities[: max(count, 1)].cumsum()
        place = int(np.searchsorted(sums, self._random.random() * sums[-1], side="right"))
        return int(order[min(place, len(sums) - 1)])


def log_probabilities(logits: Logits) -> NDArray[np.float64]:
    """Return the natural logarithm of each token's probability."""
    shifted = logits.astype(np.float64) - logits.max()
    result: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum())
    return result
