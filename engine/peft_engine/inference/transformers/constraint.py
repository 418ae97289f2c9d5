"""Keeping an answer within a schema, an expression or a grammar, by llguidance."""

from collections.abc import Callable

import numpy as np
from llguidance import LLMatcher, LLTokenizer
from numpy.typing import NDArray

from peft_engine.inference.contract import Constraint
from peft_schemas.errors import WorkbenchError

_GRAMMARS: dict[str, Callable[[str], str]] = {
    "json-schema": LLMatcher.grammar_from_json_schema,
    "regex": LLMatcher.grammar_from_regex,
    "lark": LLMatcher.grammar_from_lark,
}


class Matcher:
    """Follows one answer and says which tokens may come next."""

    def __init__(self, constraint: Constraint, vocabulary: LLTokenizer) -> None:
        """Compile a constraint.

        Raises:
            WorkbenchError: It is faulty or too large (`not-supported`).
        """
        self._size = vocabulary.vocab_size
        try:
            grammar = _GRAMMARS[constraint.kind](constraint.text)
            self._matcher = LLMatcher(vocabulary, grammar, log_level=0)
            refused = self._matcher.get_error() if self._matcher.is_error() else ""
        except ValueError as error:
            refused = str(error)
        if refused:
            raise WorkbenchError(
                "not-supported",
                f"The {constraint.kind} that the answer must match cannot be used: {refused.strip().splitlines()[0]}.",
                "Correct or simplify it.",
            )

    def allowed(self) -> NDArray[np.bool_]:
        """Return for each token whether it may come next."""
        bits = np.frombuffer(self._matcher.compute_bitmask(), np.uint8)
        return np.unpackbits(bits, bitorder="little")[: self._size].astype(np.bool_)

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
