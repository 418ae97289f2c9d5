"""From logits to an answer: choosing tokens, and what follows from each. One module for every engine."""

import logging
from collections import deque
from collections.abc import Sequence
from typing import Protocol

from llguidance import LLTokenizer

from peft_engine.inference.answer_text import AnswerText
from peft_engine.inference.constraint import Matcher
from peft_engine.inference.contract import Delta, FinishReason, GenerationRequest, PartRefused, TokenLogprob
from peft_engine.inference.sampler import Logits, Sampler, log_probabilities, most_likely
from peft_engine.inference.template_conversation import turn_beginnings

_log = logging.getLogger(__name__)


class Vocabulary(Protocol):
    """What an answer asks of an engine's tokenizer."""

    @property
    def size(self) -> int:
        """How many tokens there are."""

    @property
    def guide(self) -> LLTokenizer:
        """The vocabulary as llguidance knows it."""

    def ends_answer(self, token: int) -> bool:
        """Tell whether a token ends the model's turn."""

    def piece(self, token: int) -> bytes:
        """Return what a token adds to the answer, which may be part of a character; nothing for special tokens."""

    def spelling(self, token: int) -> bytes:
        """Return a token as it is written, special ones too."""


class Answer:
    """The answer to one request."""

    def __init__(
        self, vocabulary: Vocabulary, request: GenerationRequest, prompt: Sequence[int], *, limit: int
    ) -> None:
        """Begin.

        Args:
            vocabulary: Of the engine.
            request: What is asked for.
            prompt: The request's prompt in tokens.
            limit: The most tokens that the answer may have.

        Raises:
            PartRefused: The constraint cannot be compiled, or a biased token does not exist.
        """
        _check_bias(request, vocabulary)
        self.completion_tokens = 0
        self.finish_reason: FinishReason | None = None
        self.newest: int | None = None
        """The token chosen last; None before the first."""
        self._vocabulary = vocabulary
        self._limit = limit
        self._sampler = Sampler(request.sampling, prompt)
        self._matcher = Matcher(request.constraint, vocabulary.guide) if request.constraint else None
        self._text = AnswerText((*request.stop, *turn_beginnings(request.prompt)))
        self._alternatives = request.top_logprobs
        self._logprobs: deque[tuple[TokenLogprob, int]] = deque()

    def accept(self, logits: Logits) -> None:
        """Choose the next token.

        Args:
            logits: After all tokens so far. Not changed and not kept.
        """
        if self._limit == 0:
            self._finish("length")
            return
        token = self._sampler.choose(logits, self._matcher.allowed() if self._matcher else None)
        self.newest = token
        if self._vocabulary.ends_answer(token):
            self._finish("stop")
            return
        self.completion_tokens += 1
        begins = self._text.decoded
        self._text.feed(self._vocabulary.piece(token))
        if self._alternatives is not None:
            self._logprobs.append((self._logprob(token, logits, self._alternatives), begins))
        if self._matcher is not None:
            self._matcher.accept(token)
        if self._text.stopped or (self._matcher is not None and self._matcher.complete):
            self._finish("stop")
        elif self.completion_tokens >= self._limit:
            self._finish("length")
        elif self._matcher is not None and self._matcher.failed:
            _log.warning("an answer was cut off where its constraint could not be followed any longer")
            self._finish("length")

    def take(self) -> Delta:
        """Return what became certain since the last call."""
        certain = self._text.certain
        logprobs = []
        while self._logprobs and (self._ends_of_first() <= certain or self._begun_at_end(certain)):
            logprobs.append(self._logprobs.popleft()[0])
        return Delta(self._text.take(), tuple(logprobs))

    def _ends_of_first(self) -> int:
        """Return the character behind the first token whose log-probability waits."""
        return self._logprobs[1][1] if len(self._logprobs) > 1 else self._text.decoded

    def _begun_at_end(self, certain: int) -> bool:
        """Tell whether the answer was cut within the first token that waits."""
        return self.finish_reason is not None and self._logprobs[0][1] < certain

    def _logprob(self, token: int, logits: Logits, alternatives: int) -> TokenLogprob:
        logs = log_probabilities(logits)
        top = tuple(self._named(int(other), float(logs[other])) for other in most_likely(logs, alternatives))
        return TokenLogprob(token, self._vocabulary.spelling(token), float(logs[token]), top)

    def _named(self, token: int, logprob: float) -> TokenLogprob:
        return TokenLogprob(token, self._vocabulary.spelling(token), logprob)

    def _finish(self, reason: FinishReason) -> None:
        self._text.end()
        self.finish_reason = reason


def _check_bias(request: GenerationRequest, vocabulary: Vocabulary) -> None:
    """Refuse a bias of a token that does not exist before it fails in the middle of a step, for everybody."""
    largest = max((token for token, _ in request.sampling.logit_bias), default=-1)
    if largest >= vocabulary.size:
        raise PartRefused(
            "logit_bias",
            f"logit_bias names the token {largest}, but the model's tokens end at {vocabulary.size - 1}.",
            "Name tokens of this model's own vocabulary.",
        )
