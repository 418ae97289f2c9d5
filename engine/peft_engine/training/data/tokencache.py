"""Tokenised datasets kept between runs, so that the second run on the same data begins at once.

An entry is a file named by the hash of all that decides what is in it. Runs share the folder without a lock: a file is
written aside and gets its name whole, two runs that write the same one write the same, and one that is removed while it
is read stays readable until it is closed.
"""

import hashlib
import os
import tempfile
import time
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from peft_engine.datasets import Example, Text
from peft_engine.training.data.token_table import TokenTable
from peft_engine.training.data.tokens import ExampleTokeniser

_FORMAT = "1"
"""Raise it when the same examples come to other tokens or another mask, or the file to another form."""

_DEFAULT_LIMIT = 4 * 2**30
"""Bytes; about a billion tokens."""

_ABANDONED = 24 * 3600.0
"""Seconds after which a file that never got its name is taken for what a killed run left."""


class TokenCache:
    """Entries under one folder, the least recently used of which go when they take too much room.

    Nothing here fails a run: an entry that cannot be read is made anew, and one that cannot be written is not kept.
    """

    def __init__(self, folder: Path, limit_bytes: int = _DEFAULT_LIMIT) -> None:
        """Remember where the entries are and how much room they may take together."""
        self._folder = folder
        self._limit = limit_bytes

    def key(self, tokenise: ExampleTokeniser, examples: Iterable[Example]) -> str:
        """Return the hash of what decides the tokens: examples, tokenizer, chat template and options."""
        tokenizer = tokenise.tokenizer
        digest = hashlib.sha256()
        for part in (
            _FORMAT,
            metadata.version("transformers"),
            metadata.version("tokenizers"),
            tokenizer.backend_tokenizer.to_str(),
            str(sorted(tokenizer.special_tokens_map.items(), key=str)),
            str(tokenizer.chat_template),
            str((tokenise.max_length, tokenise.completion_only)),
        ):
            _add(digest, part)
        for example in examples:
            if isinstance(example, Text):
                _add(digest, "text", example.text)
            else:
                _add(digest, str(len(example.messages)))
                for message in example.messages:
                    _add(digest, message.role, message.content)
        return digest.hexdigest()

    def get(self, key: str) -> TokenTable | None:
        """Return an entry, None when there is none or it is damaged."""
        path = self._path(key)
        try:
            with safe_open(path, framework="np") as file:
                said = (file.metadata() or {}).get("sha256")
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a mapping)
            if said != _checksum(arrays):
                return None
            table = _unpacked(arrays)
            # Tells the clean-up that it is in use.
            os.utime(path)
        except (OSError, SafetensorError, KeyError, ValueError):
            return None
        return table

    def put(self, key: str, table: TokenTable) -> None:
        """Keep an entry, and make room for it."""
        arrays = _packed(table)
        making: Path | None = None
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=".", suffix=".making", dir=self._folder)
            os.close(handle)
            making = Path(name)
            save_file(arrays, making, {"sha256": _checksum(arrays)})
            making.replace(self._path(key))
            self._make_room(keep=key)
        except (OSError, SafetensorError):
            if making is not None:
                making.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.safetensors"

    def _make_room(self, keep: str) -> None:
        """Remove the least recently used entries until the rest fits, and what killed runs left."""
        now = time.time()
        for left in self._folder.glob(".*.making"):
            if now - _stat(left)[0] > _ABANDONED:
                left.unlink(missing_ok=True)
        others = [path for path in self._folder.glob("*.safetensors") if path != self._path(keep)]
        room = self._limit - _stat(self._path(keep))[1]
        for path, (_, size) in sorted(((path, _stat(path)) for path in others), key=lambda one: one[1], reverse=True):
            room -= size
            if room < 0:
                path.unlink(missing_ok=True)


def _add(digest: Any, *texts: str) -> None:
    """Add texts to a hash with their lengths, so that no two lists of texts run together to the same bytes."""
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)


def _packed(table: TokenTable) -> dict[str, NDArray[Any]]:
    """Return the arrays of a table with each yes or no in one bit."""
    return {
        "ids": table.ids,
        "trained": np.packbits(table.trained),
        "starts": table.starts,
        "cut": np.packbits(table.cut),
    }


def _unpacked(arrays: dict[str, NDArray[Any]]) -> TokenTable:
    starts = arrays["starts"]
    return TokenTable(
        arrays["ids"],
        np.unpackbits(arrays["trained"], count=len(arrays["ids"])).astype(np.bool_),
        starts,
        np.unpackbits(arrays["cut"], count=len(starts) - 1).astype(np.bool_),
    )


def _checksum(arrays: dict[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.hexdigest()


def _stat(path: Path) -> tuple[float, int]:
    """Return when a file was last used, and its bytes; zeros when another run just removed it."""
    try:
        found = path.stat()
    except OSError:
        return (0.0, 0)
    return (found.st_mtime, found.st_size)
