"""Keeping an answer within a schema, an expression or a grammar, by llguidance."""

from collections.abc import Callable

import numpy as np
from llguidance import LLMatcher, LLParserLimits, LLTokenizer
from numpy.typing import NDArray

from peft_engine.inference.contract import Constraint, PartRefused

_SPACE = r"[\x20\x0A]{0,16}"
"""What may stand between the words of JSON. Without a limit a small model may write nothing else."""


def _json_schema(text: str) -> str:
    return LLMatcher.grammar_from_json_schema(text, defaults={"whitespace_pattern": _SPACE})


_GRAMMARS: dict[str, Callable[[str], str]] = {
    "json-schema": _json_schema,
    "regex": LLMatcher.grammar_from_regex,
    "lark": LLMatcher.grammar_from_lark,
}

_LONGEST = 2**16
"""Characters of a constraint. Longer ones take seconds to compile; a large tool schema has a tenth of it."""

_LIMITS = LLParserLimits(max_grammar_size=200_000, max_lexer_states=50_000)
"""Less than the library's own, so that no constraint can hold up other answers for seconds or fill the memory."""


class Matcher:
    """Follows one answer and says which tokens may come next."""

    def __init__(self, constraint: Constraint, vocabulary: LLTokenizer) -> None:
        """Compile a constraint.

        Raises:
            PartRefused: It is faulty or too large.
        """
        self._size = vocabulary.vocab_size
        try:
            refused = self._compile(constraint, vocabulary)
        except ValueError as error:
            refused = str(error)
        if refused:
            raise PartRefused(
                constraint.kind,
                f"The {constraint.kind} that the answer must match cannot be used: {refused.strip().splitlines()[0]}.",
                "Correct or simplify it.",
            )

    def _compile(self, constraint: Constraint, vocabulary: LLTokenizer) -> str:
        """Compile and return what is wrong; empty for nothing."""
        if len(constraint.text) > _LONGEST:
            return f"it has {len(constraint.text):,} characters, more than {_LONGEST:,}"
        self._matcher = LLMatcher(vocabulary, _GRAMMARS[constraint.kind](constraint.text), log_level=0, limits=_LIMITS)
        if not self._matcher.is_error():
            # That nothing at all can match shows with the first token only.
            self._matcher.compute_bitmask()
        return str(self._matcher.get_error()) if self._matcher.is_error() else ""

    def allowed(self) -> NDArray[np.bool_]:
        """Return for each token whether it may come next."""
        bits = np.frombuffer(self._matcher.compute_bitmask(), np.uint8)
        return np.unpackbits(bits, bitorder="little")[: self._size].view(np.bool_)

    def accept(self, token: int) -> None:
        """Take in the token that came."""
        self._matcher.consume_token(token)

    @property
    def complete(self) -> bool:
        """Whether nothing may follow."""
        return self._matcher.is_stopped() and not self.failed

    @property
    def failed(self) -> bool:
        """Whether the answer outgrew what can be followed."""
        return bool(self._matcher.is_error())
