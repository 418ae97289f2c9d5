"""One answer in the making."""

from peft_engine.inference.answer_text import AnswerText
from peft_engine.inference.contract import Delta, FinishReason, GenerationRequest
from peft_engine.inference.llama.context import BLOCK, Context
from peft_engine.inference.llama.sampler import Sampler
from peft_engine.inference.llama.weights import Weights


class LlamaSequence:
    """Computes blocks of its prompt first, then a token at each step."""

    def __init__(
        self,
        weights: Weights,
        context: Context,
        prompt: list[int],
        request: GenerationRequest,
        *,
        cached_tokens: int,
        limit: int,
    ) -> None:
        """Take over the context, which holds the first `cached_tokens` of the prompt.

        Args:
            weights: Knows the bytes of each token.
            context: Computes; belongs to this sequence until it is closed.
            prompt: The whole prompt.
            request: What is asked for.
            cached_tokens: How many tokens of the prompt need not be computed.
            limit: The most tokens that the answer may have.
        """
        self.prompt_tokens = len(prompt)
        self.cached_tokens = cached_tokens
        self.completion_tokens = 0
        self.finish_reason: FinishReason | None = None
        self.closed = False
        self._weights = weights
        self._context = context
        self._pending = prompt[cached_tokens:]
        self._limit = limit
        self._newest: int | None = None
        self._text = AnswerText(request.stop)
        self._sampler = Sampler(request.sampling)

    def take(self) -> Delta:
        """Return what became certain since the last call."""
        return Delta(self._text.take())

    def advance(self) -> None:
        """Compute one block of the prompt or one token.

        Raises:
            WorkbenchError: The computation failed; the context is no longer usable.
        """
        if self._newest is None:
            block, self._pending = self._pending[:BLOCK], self._pending[BLOCK:]
            self._context.decode_block(block)
            if self._pending:
                return
        else:
            self._context.decode_token(self._newest)
        self._accept(self._sampler.next_token(self._context.handle))

    def close(self) -> None:
        """Free what only this answer needs. Its K/V stay for a prompt that begins alike."""
        if not self.closed:
            self.closed = True
            self._sampler.close()

    def _accept(self, token: int) -> None:
        self._newest = token
        if self._weights.ends_answer(token):
            self._finish("stop")
            return
        self.completion_tokens += 1
        self._text.feed(self._weights.piece(token))
        if self._text.stopped:
            self._finish("stop")
        elif self.completion_tokens >= self._limit:
            self._finish("length")

    def _finish(self, reason: FinishReason) -> None:
        self._text.end()
        self.finish_reason = reason
