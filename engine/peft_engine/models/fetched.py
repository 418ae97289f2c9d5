"""Files that came from the model hub, held against the hashes that the hub gave for them.

In the cache of huggingface_hub, each file of a snapshot is a link to a blob whose name is the ETag of the download: the
SHA-256 of a large file, Git's own hash of a small one. The library compares sizes and believes the rest.
"""

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from peft_engine.files import sha256

_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_GIT = re.compile(r"[0-9a-f]{40}\Z")
_PIECE = 1 << 20


def damaged_files(snapshot: Path) -> list[Path]:
    """Return the files of a snapshot that are not what their blob's name says.

    Where the file system has no links, or a hub gives other ETags, nothing can be said of a file.
    """
    return [link for link, blob in _blobs(snapshot) if not _is_what_it_says(blob)]


def forget(link: Path) -> None:
    """Remove a file of a snapshot and its blob, so that it is downloaded again."""
    blob = link.parent / os.readlink(link)  # noqa: PTH115  (its text, whether or not it is there)
    link.unlink(missing_ok=True)
    blob.unlink(missing_ok=True)


def _blobs(snapshot: Path) -> Iterator[tuple[Path, Path]]:
    for link in sorted(snapshot.rglob("*")):
        if link.is_symlink() and (blob := link.resolve()).parent.name == "blobs":
            yield link, blob


def _is_what_it_says(blob: Path) -> bool:
    if _SHA256.match(blob.name):
        return sha256(blob) == blob.name
    if _GIT.match(blob.name):
        return _git_hash(blob) == blob.name
    return True


def _git_hash(path: Path) -> str:
    """Return the hash that Git knows a file's content by."""
    digest: Any = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return str(digest.hexdigest())
