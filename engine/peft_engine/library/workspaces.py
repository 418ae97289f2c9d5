"""Folders that are open in editors and trusted there, whose `.peft/models` may define models.

Each editor's daemon says in a file of its own which folders those are, and the file counts while that process runs: the
inference process, which serves all of them, knows no editor.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from peft_engine.files import write_atomic
from peft_engine.home import home
from peft_engine.process import ProcessIdentity

WITHIN = Path(".peft", "models")
"""Where a workspace keeps its definition files."""

_LARGEST = 2**20
"""Bytes of a record."""


def announce(folders: Sequence[Path]) -> None:
    """Say which folders are open and trusted in the editor of this process; none takes the record away.

    Raises:
        OSError: The state folder cannot be written.
    """
    record = _record(ProcessIdentity.current())
    if not folders:
        record.unlink(missing_ok=True)
        return
    identity = ProcessIdentity.current()
    content = {"pid": identity.pid, "started": identity.started, "folders": [str(folder) for folder in folders]}
    write_atomic(record, json.dumps(content))


def definition_folders() -> Iterator[Path]:
    """Yield the folders of definition files in workspaces that are open now, each once."""
    seen: set[Path] = set()
    for workspace in _open():
        folder = workspace / WITHIN
        try:
            # A link would let a workspace take what is not its own.
            own = folder.is_dir() and folder.resolve() == workspace.resolve() / WITHIN
        except (OSError, RuntimeError):
            continue
        if own and folder not in seen:
            seen.add(folder)
            yield folder


def _open() -> Iterator[Path]:
    for record in sorted(_records().glob("*.json")):
        try:
            content = json.loads(record.read_bytes()) if record.stat().st_size <= _LARGEST else {}
            owner = ProcessIdentity(int(content["pid"]), float(content["started"]))
            folders = [Path(folder) for folder in content["folders"]]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if owner.alive():
            yield from folders
        else:
            record.unlink(missing_ok=True)


def _record(identity: ProcessIdentity) -> Path:
    return _records() / f"{identity.pid}.json"


def _records() -> Path:
    return home() / "workspaces"
