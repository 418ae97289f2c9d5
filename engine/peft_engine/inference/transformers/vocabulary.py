"""The tokenizer of a model's folder: texts to tokens, and tokens to the bytes behind them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import llguidance
import llguidance.hf
from transformers import AutoTokenizer, TokenizersBackend

from peft_schemas.errors import WorkbenchError


class Vocabulary:
    """Knows the tokens of one model."""

    def __init__(self, folder: Path) -> None:
        """Read the folder's tokenizer. Code that the folder brings along is never run.

        Raises:
            WorkbenchError: There is none, it is damaged, or it is of a kind that needs code (`model-unreadable`).
        """
        try:
            tokenizer: Any = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        except Exception as error:  # A tokenizer's files can be wrong in any way.
            raise _unreadable(folder, str(error).strip().partition("\n")[0]) from error
        if not isinstance(tokenizer, TokenizersBackend):
            raise _unreadable(folder, f"{type(tokenizer).__name__} has no tokenizer.json")
        self._tokenizer: Any = tokenizer
        self._ends: frozenset[int] = frozenset()
        self._specials = frozenset(tokenizer.all_special_ids)
        self.bos_text: str = tokenizer.bos_token or ""
        self.eos_text: str = tokenizer.eos_token or ""
        self.beginning: tuple[int, ...] = (tokenizer.bos_token_id or tokenizer.eos_token_id or 0,)
        """What an answer to nothing begins with."""

    def settle(self, *, size: int, ends: Iterable[int]) -> None:
        """Say what the weights know of the vocabulary.

        Args:
            size: Rows of the output layer, which may be more than there are tokens.
            ends: Tokens that end an answer beside the tokenizer's own.
        """
        own = self._tokenizer.eos_token_id
        self._ends = frozenset(ends) | (frozenset() if own is None else {own})
        self.guide = llguidance.hf.from_tokenizer(self._tokenizer, n_vocab=size, eos_token=sorted(self._ends) or None)
        """The vocabulary as llguidance knows it."""

    def special_tokens(self) -> frozenset[str]:
        """Return the tokens that are no text."""
        return frozenset(token.content for token in self._tokenizer.added_tokens_decoder.values() if token.special)

    def chat_template(self, *, tools: bool) -> str | None:
        """Return the tokenizer's own template; where it has one for tools and these are given, that one."""
        written = self._tokenizer.chat_template
        if isinstance(written, dict):
            named = written.get("tool_use") if tools else None
            return named or written.get("default")
        return written if isinstance(written, str) else None

    def tokenize(self, text: str) -> tuple[int, ...]:
        """Return the tokens of a text as the model was trained to read one, its first special token included."""
        return tuple(self._tokenizer.encode(text))

    def tokenize_rendered(self, prompt: str) -> tuple[int, ...]:
        """Return the tokens of a prompt in which a template has written all special tokens out."""
        return tuple(self._tokenizer.encode(prompt, add_special_tokens=False))

    def token(self, text: str) -> int | None:
        """Return the token that is written so."""
        found = self._tokenizer.convert_tokens_to_ids(text)
        return found if isinstance(found, int) and found != self._tokenizer.unk_token_id else None

    def piece(self, token: int) -> bytes:
        """Return a token's bytes, which may be part of a character; none for special tokens."""
        return b"" if token in self._specials else self.spelling(token)

    def spelling(self, token: int) -> bytes:
        """Return a token's bytes; of a special token its name."""
        return bytes(self.guide.decode_bytes([token]))

    def ends_answer(self, token: int) -> bool:
        """Tell whether a token ends the model's turn."""
        return token in self._ends


def _unreadable(folder: Path, reason: str) -> WorkbenchError:
    return WorkbenchError(
        "model-unreadable",
        f"The tokenizer of {folder.name} cannot be used: {reason}.",
        "Get the model's folder again, with tokenizer.json in it; code that a model brings along is not run.",
    )
