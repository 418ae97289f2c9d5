"""A GGUF model in memory and its vocabulary."""

import ctypes
from pathlib import Path

from peft_engine.inference.llama.native import complaint, forget_complaints, lib
from peft_schemas.errors import WorkbenchError


class Weights:
    """The weights, shared by every sequence and adapter, and the tokenizer that belongs to them."""

    def __init__(self, path: Path) -> None:
        """Load the file; its tensors are mapped, so several processes share one copy.

        Raises:
            WorkbenchError: llama.cpp cannot load it (`model-unreadable`).
        """
        forget_complaints()
        self.model = lib.llama_model_load_from_file(str(path).encode(), lib.llama_model_default_params())
        if not self.model:
            raise WorkbenchError(
                "model-unreadable",
                f"llama.cpp cannot load {path.name}: {complaint()}.",
                "Get the file again, or choose a model of a family that llama.cpp knows.",
            )
        self._vocab = lib.llama_model_get_vocab(self.model)
        self.trained_context: int = lib.llama_model_n_ctx_train(self.model)
        self.vocabulary_size: int = lib.llama_vocab_n_tokens(self._vocab)
        template = lib.llama_model_chat_template(self.model, None)
        self.chat_template: str | None = template.decode("utf-8", errors="replace") if template else None
        self.bos_text = self._special(lib.llama_vocab_bos(self._vocab))
        self.eos_text = self._special(lib.llama_vocab_eos(self._vocab))
        self._piece_buffer = ctypes.create_string_buffer(256)

    def tokenize(self, prompt: str) -> list[int]:
        """Return the tokens of a rendered prompt, in which special tokens are written out."""
        data = prompt.encode()
        # A template that writes the first token itself must not get a second one.
        add_special = not (self.bos_text and prompt.startswith(self.bos_text))
        room = len(data) + 8
        tokens = (lib.llama_token * room)()
        count = lib.llama_tokenize(self._vocab, data, len(data), tokens, room, add_special, True)
        return list(tokens[:count])

    def piece(self, token: int) -> bytes:
        """Return a token's bytes, which may be part of a character; none for special tokens."""
        return self._bytes(token, special=False)

    def ends_answer(self, token: int) -> bool:
        """Tell whether a token ends the model's turn."""
        return bool(lib.llama_vocab_is_eog(self._vocab, token))

    def unload(self) -> None:
        """Free the memory, adapters included."""
        lib.llama_model_free(self.model)

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
