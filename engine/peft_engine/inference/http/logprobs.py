"""Log-probabilities in OpenAI's two forms."""

from collections.abc import Sequence

from peft_engine.inference.contract import TokenLogprob
from peft_engine.inference.http.chat_shapes import ChoiceLogprobs, ChosenToken, LikelyToken
from peft_engine.inference.http.completion_shapes import CompletionLogprobs

_LOWEST = -9999.0
"""Stands for what JSON cannot write: the logarithm of nothing."""


def chat_logprobs(tokens: Sequence[TokenLogprob]) -> ChoiceLogprobs:
    """Return tokens as the chat API has them."""
    return ChoiceLogprobs(
        content=[
            ChosenToken(
                token=_shown(token),
                logprob=_finite(token),
                bytes=[*token.bytes],
                top_logprobs=[
                    LikelyToken(token=_shown(likely), logprob=_finite(likely), bytes=[*likely.bytes])
                    for likely in token.top
                ],
            )
            for token in tokens
        ],
        refusal=None,
    )


def completion_logprobs(tokens: Sequence[TokenLogprob], *, start: int) -> CompletionLogprobs:
    """Return tokens as the older API has them.

    Args:
        tokens: Those of a part of the answer.
        start: Where in the answer the part begins, in characters.
    """
    offsets = []
    for token in tokens:
        offsets.append(start)
        start += len(_shown(token))
    return CompletionLogprobs(
        tokens=[_shown(token) for token in tokens],
        token_logprobs=[_finite(token) for token in tokens],
        # The chosen token is among the alternatives even where it is none of the likely ones.
        top_logprobs=[{_shown(one): _finite(one) for one in (*token.top, token)} for token in tokens],
        text_offset=offsets,
    )


def _shown(token: TokenLogprob) -> str:
    return token.bytes.decode("utf-8", errors="replace")


def _finite(token: TokenLogprob) -> float:
    return max(token.logprob, _LOWEST)
