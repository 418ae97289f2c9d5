"""The tokenizer of a model's folder: texts to tokens, and tokens to the bytes behind them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import llguidance
import llguidance.hf
from transformers import AutoTokenizer, TokenizersBackend

from peft_engine.models.hf_config import require_layers
from peft_engine.prompt_formats import prompt_formats, recognise_format, recognise_infill
from peft_schemas.errors import WorkbenchError


class Vocabulary:
    """Knows the tokens of one model."""

    def __init__(self, folder: Path) -> None:
        """Read the folder's tokenizer. Code that the folder brings along is never run.

        Raises:
            WorkbenchError: There is none, it is damaged, or it is of a kind that needs code (`model-unreadable`).
        """
        try:
            require_layers(folder)
            tokenizer: Any = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        except Exception as error:  # A tokenizer's files can be wrong in any way.
            raise _unreadable(folder, str(error).strip().partition("\n")[0]) from error
        if not isinstance(tokenizer, TokenizersBackend):
            raise _unreadable(folder, f"{type(tokenizer).__name__} has no tokenizer.json")
        self._tokenizer: Any = tokenizer
        self._written = {
            token.content: place for place, token in tokenizer.added_tokens_decoder.items() if token.special
        }
        self._specials = frozenset(self._written.values()) | frozenset(tokenizer.all_special_ids)
        self._ends: frozenset[int] = frozenset()
        self._gap = recognise_infill(tokenizer.get_vocab())
        self.bos_text: str = tokenizer.bos_token or ""
        self.eos_text: str = tokenizer.eos_token or ""
        self.beginning: int = tokenizer.bos_token_id or tokenizer.eos_token_id or 0
        """What an answer to nothing begins with."""

    def settle(self, *, size: int, ends: Iterable[int]) -> None:
        """Say what the weights know of the vocabulary.

        Args:
            size: Rows of the output layer, which may be more than there are tokens.
            ends: Tokens that end an answer beside the tokenizer's own.
        """
        self.size = size
        named = (self._written.get(token) for token in (self.eos_text, *prompt_formats().turn_ends))
        self._ends = frozenset(ends) | {token for token in named if token is not None}
        self.guide = llguidance.hf.from_tokenizer(self._tokenizer, n_vocab=size, eos_token=sorted(self._ends) or None)
        """The vocabulary as llguidance knows it."""

    @property
    def fills_gaps(self) -> bool:
        """Whether there are tokens that mark a gap in a text."""
        return self._gap is not None

    def chat_template(self, *, tools: bool) -> str | None:
        """Return the tokenizer's own template, else that of the family that its special tokens tell of.

        Args:
            tools: Whether the template is to write tools, for which some tokenizers have one of its own.
        """
        written = self._tokenizer.chat_template
        if isinstance(written, dict):
            named = written.get("tool_use") if tools else None
            written = named or written.get("default")
        if isinstance(written, str):
            return written
        family = recognise_format(self._written)
        return None if family is None else family.template

    def tokenize(self, text: str) -> tuple[int, ...]:
        """Return the tokens of a text as the model was trained to read one, its first special token included."""
        return tuple(self._tokenizer.encode(text))

    def tokenize_rendered(self, prompt: str) -> tuple[int, ...]:
        """Return the tokens of a prompt in which a template has written all special tokens out."""
        return tuple(self._tokenizer.encode(prompt, add_special_tokens=False))

    def tokenize_gap(self, prefix: str, suffix: str) -> tuple[int, ...]:
        """Return the prompt that asks for what stands between two texts.

        Raises:
            ValueError: There are no tokens for it.
        """
        if self._gap is None:
            raise ValueError("a vocabulary without tokens for a gap")
        marks = [self._gap.prefix, self._gap.suffix, self._gap.middle]
        before, after, gap = self._tokenizer.convert_tokens_to_ids(marks)
        return (before, *self._plain(prefix), after, *self._plain(suffix), gap)

    def _plain(self, text: str) -> tuple[int, ...]:
        """Return the tokens of a text in which the name of a special token is text as any other."""
        return tuple(self._tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True))

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
