"""One answer in the making."""

import logging

from peft_engine.inference.answer_text import AnswerText
from peft_engine.inference.contract import Delta, FinishReason, GenerationRequest, TokenLogprob
from peft_engine.inference.transformers.adapters import AdapterKey
from peft_engine.inference.transformers.constraint import Matcher
from peft_engine.inference.transformers.memory import BLOCK, KeyValues
from peft_engine.inference.transformers.sampler import Logits, Sampler, log_probabilities
from peft_engine.inference.transformers.vocabulary import Vocabulary

_log = logging.getLogger(__name__)


class TransformersSequence:
    """Its prompt is computed in blocks first, then a token at each step."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        request: GenerationRequest,
        prompt: tuple[int, ...],
        adapters: tuple[AdapterKey, ...],
        memory: KeyValues,
        matcher: Matcher | None,
        *,
        limit: int,
    ) -> None:
        """Begin.

        Args:
            vocabulary: Knows the bytes of each token.
            request: What is asked for.
            prompt: The whole prompt.
            adapters: What is computed with.
            memory: Holds the K/V of the first blocks, if they were computed before.
            matcher: Follows the request's constraint, if it has one.
            limit: The most tokens that the answer may have.
        """
        self.prompt = prompt
        self.adapters = adapters
        self.memory = memory
        self.prompt_tokens = len(prompt)
        self.cached_tokens = memory.length
        self.completion_tokens = 0
        self.finish_reason: FinishReason | None = None
        self.closed = False
        self._vocabulary = vocabulary
        self._matcher = matcher
        self._limit = limit
        self._newest: int | None = None
        self._text = AnswerText(request.stop)
        self._sampler = Sampler(request.sampling, prompt)
        self._alternatives = request.top_logprobs
        self._logprobs: list[TokenLogprob] = []

    @property
    def active(self) -> bool:
        """Whether it goes on."""
        return not self.closed and self.finish_reason is None

    @property
    def reading(self) -> bool:
        """Whether some of its prompt is still to be computed."""
        return self._newest is None

    def next_tokens(self) -> tuple[int, ...]:
        """Return what is to be computed next: a block of the prompt, or the newest token of the answer."""
        if self._newest is not None:
            return (self._newest,)
        return self.prompt[self.memory.length : self.memory.length + BLOCK]

    def accept(self, logits: Logits) -> None:
        """Choose the token that follows all that was computed."""
        token = self._sampler.choose(logits, self._matcher.allowed() if self._matcher else None)
        self._newest = token
        if self._vocabulary.ends_answer(token):
            self._finish("stop")
            return
        self.completion_tokens += 1
        self._text.feed(self._vocabulary.piece(token))
        if self._text.stopped:
            self._finish("stop")
            return
        if self._alternatives is not None:
            self._logprobs.append(self._logprob(token, logits, self._alternatives))
        if self._matcher is not None:
            self._matcher.accept(token)
            if self._matcher.complete:
                self._finish("stop")
                return
            if self._matcher.failed:
                _log.warning("an answer was cut off where its constraint could not be followed any longer")
                self._finish("length")
                return
        if self.completion_tokens >= self._limit:
            self._finish("length")

    def take(self) -> Delta:
        """Return what became certain since the last call."""
        logprobs, self._logprobs = tuple(self._logprobs), []
        return Delta(self._text.take(), logprobs)

    def close(self) -> None:
        """Give the answer up, finished or not, and free its memory."""
        self.closed = True
        self.memory = KeyValues(0)

    def _logprob(self, token: int, logits: Logits, alternatives: int) -> TokenLogprob:
        logs = log_probabilities(logits)
        order = (-logs).argsort(kind="stable")[:alternatives]
        top = tuple(TokenLogprob(int(other), self._vocabulary.bytes(int(other)), float(logs[other])) for other in order)
        return TokenLogprob(token, self._vocabulary.bytes(token), float(logs[token]), top)

    def _finish(self, reason: FinishReason) -> None:
        self._text.end()
        self.finish_reason = reason
