"""The vocabulary of a GGUF model: texts to tokens, and tokens to the bytes behind them."""

import ctypes
from typing import Any

from llguidance import LLTokenizer
from llguidance.llamacpp import lltokenizer_from_vocab

from peft_engine.inference.guide import Guide
from peft_engine.inference.llama.native import lib
from peft_engine.prompt_formats import recognise_format

_SPECIAL = lib.LLAMA_TOKEN_ATTR_CONTROL | lib.LLAMA_TOKEN_ATTR_USER_DEFINED


class Vocabulary:
    """Knows the tokens of one model."""

    def __init__(self, model: Any) -> None:
        """Look into a model in memory, which must stay there."""
        self._model = model
        self._vocab = lib.llama_model_get_vocab(model)
        self._piece_buffer = ctypes.create_string_buffer(256)
        self.size: int = lib.llama_vocab_n_tokens(self._vocab)
        self.late_guide = Guide(self._make_guide)
        begin, end = lib.llama_vocab_bos(self._vocab), lib.llama_vocab_eos(self._vocab)
        self.beginning: int = begin if begin >= 0 else max(end, 0)
        """What an answer to nothing begins with."""
        self.bos_text = self._special(begin)
        self.eos_text = self._special(end)
        self._gap = (
            lib.llama_vocab_fim_pre(self._vocab),
            lib.llama_vocab_fim_suf(self._vocab),
            lib.llama_vocab_fim_mid(self._vocab),
        )

    @property
    def fills_gaps(self) -> bool:
        """Whether there are tokens that mark a gap in a text."""
        return all(token >= 0 for token in self._gap)

    def __contains__(self, text: object) -> bool:
        """Tell whether a text is written by one token that is no text."""
        tokens = self._tokens(str(text), first=False, special=True)
        return len(tokens) == 1 and bool(lib.llama_token_get_attr(self._vocab, tokens[0]) & _SPECIAL)

    def chat_template(self, *, tools: bool) -> str | None:
        """Return the model's own template, else that of the family that its special tokens tell of.

        Args:
            tools: Whether the template is to write tools, for which some models have one of its own.
        """
        named = lib.llama_model_chat_template(self._model, b"tool_use") if tools else None
        template = named or lib.llama_model_chat_template(self._model, None)
        if template:
            return bytes(template).decode("utf-8", errors="replace")
        family = recognise_format(self)
        return None if family is None else family.template

    def tokenize(self, text: str) -> list[int]:
        """Return the tokens of a text, in which special tokens may be written out."""
        # A text that has the first token already must not get a second one.
        return self._tokens(text, first=not (self.bos_text and text.startswith(self.bos_text)), special=True)

    def tokenize_rendered(self, prompt: str) -> list[int]:
        """Return the tokens of a prompt in which a template has written all special tokens out.

        llama.cpp's own tools put the first token before a prompt that lacks it. Training does not, nor does
        Transformers: what a template leaves out, the model never saw.
        """
        return self._tokens(prompt, first=False, special=True)

    def tokenize_gap(self, prefix: str, suffix: str) -> list[int]:
        """Return the prompt whose answer is the text between two others."""
        before, after, gap = self._gap
        return [
            *self._tokens("", first=True, special=False),
            before,
            *self._tokens(prefix, first=False, special=False),
            after,
            *self._tokens(suffix, first=False, special=False),
            gap,
        ]

    @property
    def guide(self) -> LLTokenizer:
        """The vocabulary as llguidance knows it. Whoever does not want to wait asks `late_guide` before."""
        return self.late_guide.get()

    def piece(self, token: int) -> bytes:
        """Return a token's bytes, which may be part of a character; none for special tokens."""
        return self._bytes(token, special=False)

    def spelling(self, token: int) -> bytes:
        """Return a token as it is written, special ones too."""
        return self._bytes(token, special=True)

    def ends_answer(self, token: int) -> bool:
        """Tell whether a token ends the model's turn."""
        return bool(lib.llama_vocab_is_eog(self._vocab, token))

    def _make_guide(self) -> LLTokenizer:
        ends = [token for token in range(self.size) if self.ends_answer(token)]
        return lltokenizer_from_vocab(self._vocab, eos_token=ends or None)

    def _tokens(self, text: str, *, first: bool, special: bool) -> list[int]:
        """Tokenise; `first` puts the vocabulary's first token in front, `special` reads special tokens in the text."""
        data = text.encode()
        room = len(data) + 8
        tokens = (lib.llama_token * room)()
        count = lib.llama_tokenize(self._vocab, data, len(data), tokens, room, first, special)
        return list(tokens[:count])

    def _special(self, token: int) -> str:
        return "" if token < 0 else self.spelling(token).decode("utf-8", errors="replace")

    def _bytes(self, token: int, *, special: bool) -> bytes:
        buffer = self._piece_buffer
        length = lib.llama_token_to_piece(self._vocab, token, buffer, len(buffer), 0, special)
        if length < 0:
            self._piece_buffer = buffer = ctypes.create_string_buffer(-length)
            length = lib.llama_token_to_piece(self._vocab, token, buffer, len(buffer), 0, special)
        return buffer.raw[:length]
