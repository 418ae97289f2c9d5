"""The configs of the folders that are open in the editor, those that no tab shows included."""

import os
import stat
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from peft_daemon.language.documents import DocumentStore, OpenDocument
from peft_daemon.lsp.params import DidChangeWatchedFilesParams
from peft_daemon.lsp.uris import to_path
from peft_daemon.workbench import WorkbenchServer
from peft_engine.config.document import MAX_LENGTH
from peft_engine.config.text import SourceText

SUFFIXES = (".peft.yaml", ".peft.yml")
MAX_CONFIGS = 500
"""Configs that are read in one workspace."""

_KEPT = 100
"""Configs that are kept in memory as they were read."""

_MAX_FOLDERS = 20_000
"""Folders that are looked into. A workspace with more is somebody's whole disk."""

_SKIPPED = frozenset({"node_modules", "__pycache__", "venv", "env", "site-packages"})
_ENVIRONMENT = "pyvenv.cfg"
"""The file that every virtual environment has, whatever its folder is called."""

_CHANGED = 2
"""LSP's number for a file whose content changed."""


@dataclass(frozen=True)
class Listing:
    """The configs that a search found."""

    paths: tuple[Path, ...]
    is_complete: bool
    """False when the search ended at one of its limits."""


def find_configs(folders: Iterable[Path]) -> Listing:
    """Search folders for configs, in the order of their names, without hidden folders and environments."""
    found: list[Path] = []
    looked = 0
    for folder in folders:
        for parent, below, names in os.walk(folder):
            looked += 1
            if _ENVIRONMENT in names:
                below.clear()
                continue
            below[:] = sorted(name for name in below if not name.startswith(".") and name not in _SKIPPED)
            found += (Path(parent) / name for name in sorted(names) if name.endswith(SUFFIXES))
            if len(found) > MAX_CONFIGS or looked > _MAX_FOLDERS:
                return Listing(tuple(dict.fromkeys(found))[:MAX_CONFIGS], False)
    return Listing(tuple(dict.fromkeys(found)), True)


class Workspace:
    """Finds and reads configs. What was read is kept until its file changes."""

    def __init__(self, documents: DocumentStore, folders: Callable[[], Sequence[Path]]) -> None:
        """Look at files through the documents that are open: what the editor shows is newer than the disk.

        Args:
            documents: The documents that are open.
            folders: Gives the folders of the workspace, which come and go.
        """
        self._open = documents
        self._folders = folders
        self._listing: tuple[tuple[Path, ...], Listing] | None = None
        self._read: OrderedDict[Path, tuple[tuple[int, int], OpenDocument]] = OrderedDict()
        self._reading = Lock()
        """Held while what was read is kept: several requests may read configs in threads of their own."""

        self.is_watched = False
        """Whether the editor tells of configs that come and go, so that they need not be searched for again."""

    def listing(self) -> Listing:
        """Return the configs in the folders of the workspace."""
        wanted = tuple(self._folders())
        if self._listing is None or self._listing[0] != wanted or not self.is_watched:
            self._listing = (wanted, find_configs(wanted))
        return self._listing[1]

    def forget(self) -> None:
        """Search again when asked next, because files came or went."""
        self._listing = None

    def documents(self) -> Iterator[OpenDocument]:
        """Yield every config: the open ones as the editor has them, then the others as they are on disk."""
        shown = list(self._open)
        yield from shown
        known = {document.path for document in shown}
        for path in self.listing().paths:
            if path not in known and (document := self._on_disk(path)) is not None:
                yield document

    def _on_disk(self, path: Path) -> OpenDocument | None:
        """Return a config that is not open, None when it cannot be read or is far too long to be one."""
        try:
            status = path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            known = self._read.get(path)
            if known is not None and known[0] == stamp:
                return known[1]
            # To open a pipe would wait for its writer.
            if not stat.S_ISREG(status.st_mode) or status.st_size > 4 * MAX_LENGTH:
                return None
            text = path.read_bytes().decode("utf-8-sig", errors="replace")
        except OSError:
            self._read.pop(path, None)
            return None
        document = OpenDocument(path.as_uri(), 0, SourceText(text))
        with self._reading:
            self._read[path] = (stamp, document)
            self._read.move_to_end(path)
            if len(self._read) > _KEPT:
                self._read.popitem(last=False)
        return document


def register(server: WorkbenchServer) -> None:
    """Follow which configs come and go."""

    def folders() -> list[Path]:
        found = (to_path(folder["uri"]) for folder in server.workspace_folders)
        return [folder for folder in found if folder is not None]

    workspace = server.workspace = Workspace(server.documents, folders)

    def did_change(params: DidChangeWatchedFilesParams) -> None:
        # A change of a config's text is seen by its time; only what came or went is not.
        if any(change["type"] != _CHANGED for change in params["changes"]):
            workspace.forget()

    async def watch() -> None:
        if not server.can("workspace.didChangeWatchedFiles.dynamicRegistration"):
            return
        pattern = f"**/*{{{','.join(SUFFIXES)}}}"
        await server.announce("workspace/didChangeWatchedFiles", {"watchers": [{"globPattern": pattern}]})
        workspace.is_watched = True

    server.listen("workspace/didChangeWatchedFiles", did_change)
    server.on_initialized(watch)
