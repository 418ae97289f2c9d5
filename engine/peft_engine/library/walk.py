"""Looking through a folder with an end: so deep, so many files, so long, and only until somebody says stop."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from peft_engine.library.bounds import ScanLimits


class Walk:
    """One look through one root. Links are followed while they stay below it."""

    def __init__(self, root: Path, limits: ScanLimits, cancelled: Callable[[], bool] = lambda: False) -> None:
        """Begin.

        Args:
            root: A folder with no link in its path.
            limits: How far it goes.
            cancelled: Asked again and again; the walk ends when it is true.
        """
        self.root = root
        self.complete = True
        """Whether nothing was passed over because a limit was met."""

        self._limits = limits
        self._cancelled = cancelled
        self._over = False
        self._files = 0
        self._end = time.monotonic() + limits.seconds
        self._seen: set[tuple[int, int]] = set()
        self._left: set[Path] = set()

    def folders(self, top: Path | None = None, *, within: Path | None = None) -> Iterator[tuple[Path, list[Path]]]:
        """Yield a folder and its files by name, then the folders below, each once; hidden ones are left out.

        Args:
            top: Where to begin, the root by default.
            within: Links are followed while they stay below it, the root by default.
        """
        waiting = [(top or self.root, 0)]
        while waiting and not self.ended():
            folder, depth = waiting.pop()
            files, below = self._entries(folder, within or self.root)
            yield folder, files
            if folder in self._left:
                continue
            if depth < self._limits.depth:
                waiting += [(path, depth + 1) for path in reversed(below)]
            elif below:
                self.complete = False

    def leave(self, folder: Path) -> None:
        """Stay out of the folders below one that was just yielded."""
        self._left.add(folder)

    def ended(self) -> bool:
        """Tell whether it may go no further."""
        beyond = self._files > self._limits.files or time.monotonic() > self._end
        if not self._over and (beyond or self._cancelled()):
            self._over, self.complete = True, False
        return self._over

    def _entries(self, folder: Path, within: Path) -> tuple[list[Path], list[Path]]:
        files: list[Path] = []
        below: list[Path] = []
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    self._files += 1
                    if self.ended():
                        break
                    path = Path(entry.path)
                    if entry.name.startswith(".") or (entry.is_symlink() and not is_below(path, within)):
                        continue
                    if entry.is_dir() and self._is_new(entry.stat()):
                        below.append(path)
                    elif entry.is_file():
                        files.append(path)
        except OSError:
            # Removed meanwhile, or not ours to read: there is nothing to be found.
            return [], []
        return sorted(files), sorted(below)

    def _is_new(self, stat: os.stat_result) -> bool:
        # Links may make a circle, and several ways to one folder.
        key = (stat.st_dev, stat.st_ino)
        new = key not in self._seen
        self._seen.add(key)
        return new


def is_below(path: Path, folder: Path) -> bool:
    """Tell whether a path exists and, with its links followed, is below a folder that has none in its own path."""
    try:
        return path.resolve(strict=True).is_relative_to(folder)
    except (OSError, RuntimeError):
        return False
