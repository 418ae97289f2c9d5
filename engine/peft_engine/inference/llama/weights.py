"""A GGUF model in memory and its vocabulary."""

import ctypes
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llguidance import LLTokenizer
from llguidance.llamacpp import lltokenizer_from_vocab

from peft_engine.inference.llama.native import complaint, forget_complaints, lib
from peft_engine.inference.residency import OnProgress
from peft_engine.prompt_formats import recognise_format
from peft_schemas.errors import WorkbenchError

_SPECIAL = lib.LLAMA_TOKEN_ATTR_CONTROL | lib.LLAMA_TOKEN_ATTR_USER_DEFINED


@dataclass(frozen=True)
class Fill:
    """The tokens by which a model is asked for what stands between two texts."""

    prefix: int
    suffix: int
    middle: int

    @classmethod
    def of(cls, vocab: Any) -> "Fill | None":
        """Return those of a vocabulary, None if it was not made for that."""
        tokens = (lib.llama_vocab_fim_pre(vocab), lib.llama_vocab_fim_suf(vocab), lib.llama_vocab_fim_mid(vocab))
        return cls(*tokens) if min(tokens) >= 0 else None


@dataclass(frozen=True)
class _SpecialTokens:
    weights: "Weights"

    def __contains__(self, text: object) -> bool:
        return self.weights.is_special(str(text))


class Weights:
    """The weights, shared by every sequence and adapter, and the tokenizer that belongs to them."""

    def __init__(self, path: Path, on_progress: OnProgress = lambda _: True) -> None:
        """Load the file; its tensors are mapped, so several processes share one copy.

        Args:
            path: The GGUF file.
            on_progress: Told the share that is loaded; answers whether to go on.

        Raises:
            WorkbenchError: llama.cpp cannot load it (`model-unreadable`), or it was given up (`load-cancelled`).
        """
        forget_complaints()
        given_up = False

        def tell(share: float, _: object) -> bool:
            nonlocal given_up
            given_up = given_up or not on_progress(share)
            return not given_up

        parameters = lib.llama_model_default_params()
        parameters.progress_callback = lib.llama_progress_callback(tell)
        self.model = lib.llama_model_load_from_file(str(path).encode(), parameters)
        if given_up:
            if self.model:
                self.unload()
            raise WorkbenchError(
                "load-cancelled", f"The load of {path.name} was given up.", "Ask again if it is wanted."
            )
        if not self.model:
            raise WorkbenchError(
                "model-unreadable",
                f"llama.cpp cannot load {path.name}: {complaint()}.",
                "Get the file again, or choose a model of a family that llama.cpp knows.",
            )
        self._vocab = lib.llama_model_get_vocab(self.model)
        self.trained_context: int = lib.llama_model_n_ctx_train(self.model)
        self.hidden_size: int = lib.llama_model_n_embd_out(self.model)
        self.memory_bytes: int = lib.llama_model_size(self.model)
        self.kv_bytes_per_token = self._kv_bytes_per_token()
        self.vocabulary_size: int = lib.llama_vocab_n_tokens(self._vocab)
        self.fill = Fill.of(self._vocab)
        # What an empty prompt is: something must come before the first token of an answer.
        begin, end = lib.llama_vocab_bos(self._vocab), lib.llama_vocab_eos(self._vocab)
        self.first_token: int = begin if begin >= 0 else max(end, 0)
        self.bos_text = self._special(lib.llama_vocab_bos(self._vocab))
        self.eos_text = self._special(lib.llama_vocab_eos(self._vocab))
        self._piece_buffer = ctypes.create_string_buffer(256)
        self._guide: LLTokenizer | None = None

    def chat_template(self, *, tools: bool) -> str | None:
        """Return the model's own template, else that of the family that its special tokens tell of.

        Args:
            tools: Whether the template is to write tools, for which some models have one of its own.
        """
        named = lib.llama_model_chat_template(self.model, b"tool_use") if tools else None
        template = named or lib.llama_model_chat_template(self.model, None)
        if template:
            return bytes(template).decode("utf-8", errors="replace")
        family = recognise_format(_SpecialTokens(self))
        return None if family is None else family.template

    def is_special(self, text: str) -> bool:
        """Tell whether a text is written by one token that is no text."""
        tokens = self._tokens(text, first=False, special=True)
        return len(tokens) == 1 and bool(lib.llama_token_get_attr(self._vocab, tokens[0]) & _SPECIAL)

    def tokenize(self, text: str) -> list[int]:
        """Return the tokens of a prompt, in which special tokens are written out."""
        # A template that writes the first token itself must not get a second one.
        return self._tokens(text, first=not (self.bos_text and text.startswith(self.bos_text)), special=True)

    def tokenize_infill(self, prefix: str, suffix: str, fill: "Fill") -> list[int]:
        """Return the prompt whose answer is the text between two others."""
        return [
            *self._tokens("", first=True, special=False),
            fill.prefix,
            *self._tokens(prefix, first=False, special=False),
            fill.suffix,
            *self._tokens(suffix, first=False, special=False),
            fill.middle,
        ]

    @property
    def guide(self) -> LLTokenizer:
        """The vocabulary as llguidance knows it. Made when it is first asked for, which takes about a second."""
        if self._guide is None:
            ends = [token for token in range(self.vocabulary_size) if self.ends_answer(token)]
            self._guide = lltokenizer_from_vocab(self._vocab, eos_token=ends or None)
        return self._guide

    def piece(self, token: int) -> bytes:
        """Return a token's bytes, which may be part of a character; none for special tokens."""
        return self._bytes(token, special=False)

    def spelling(self, token: int) -> bytes:
        """Return a token as it is written, special ones too."""
        return self._bytes(token, special=True)

    def ends_answer(self, token: int) -> bool:
        """Tell whether a token ends the model's turn."""
        return bool(lib.llama_vocab_is_eog(self._vocab, token))

    def unload(self) -> None:
        """Free the memory, adapters included."""
        lib.llama_model_free(self.model)

    def _tokens(self, text: str, *, first: bool, special: bool) -> list[int]:
        """Tokenise; `first` puts the vocabulary's first token in front, `special` reads special tokens in the text."""
        data = text.encode()
        room = len(data) + 8
        tokens = (lib.llama_token * room)()
        count = lib.llama_tokenize(self._vocab, data, len(data), tokens, room, first, special)
        return list(tokens[:count])

    def _kv_bytes_per_token(self) -> int:
        """Keys and values of one token in all layers, as float16."""
        heads: int = lib.llama_model_n_head(self.model)
        kv_heads: int = lib.llama_model_n_head_kv(self.model)
        layers: int = lib.llama_model_n_layer(self.model)
        architecture = self._metadata("general.architecture") or ""
        sizes = [self._metadata(f"{architecture}.attention.{name}_length") for name in ("key", "value")]
        usual: int = lib.llama_model_n_embd(self.model) // max(heads, 1)
        return 2 * layers * kv_heads * sum(int(size or usual) for size in sizes)

    def _metadata(self, key: str) -> str | None:
        text = ctypes.create_string_buffer(64)
        length = lib.llama_model_meta_val_str(self.model, key.encode(), text, len(text))
        return text.value.decode("utf-8", errors="replace") if length >= 0 else None

    def _special(self, token: int) -> str:
        if token < 0:
            return ""
        self._piece_buffer = ctypes.create_string_buffer(256)
        return self._bytes(token, special=True).decode("utf-8", errors="replace")

    def _bytes(self, token: int, *, special: bool) -> bytes:
        buffer = self._piece_buffer
        length = lib.llama_token_to_piece(self._vocab, token, buffer, len(buffer), 0, special)
        if length < 0:
            self._piece_buffer = buffer = ctypes.create_string_buffer(-length)
            length = lib.llama_token_to_piece(self._vocab, token, buffer, len(buffer), 0, special)
        return buffer.raw[:length]
