"""Reading a config file's bytes as text."""

import os
from pathlib import Path

from peft_engine.config.document import MAX_LENGTH
from peft_engine.config.text import SourceText
from peft_schemas.errors import WorkbenchError

_BOM = "\ufeff"
_NAME_A_FILE = "Name a config file, such as run.peft.yaml."
_MAX_BYTES = 4 * MAX_LENGTH + 4
"""Bytes that are read at most: beyond them the text is too long whatever it holds."""


def read_source(path: Path) -> SourceText:
    """Return the text of a config file, as an editor would show it: without a byte order mark.

    What is not UTF-8 becomes U+FFFD, which the check names, so that all other findings keep their places.

    Raises:
        WorkbenchError: There is no such file, or it cannot be opened (`config-missing`).
    """
    # To open a pipe waits for a writer, who may never come. One that the shell made for this command has no such name.
    if Path(os.path.realpath(path)).is_fifo():
        raise WorkbenchError("config-missing", f"{path} cannot be read: it is a pipe.", _NAME_A_FILE)
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES)
    except FileNotFoundError as error:
        raise WorkbenchError("config-missing", f"There is no file {path}.", "Check the path.") from error
    except OSError as error:
        message = f"{path} cannot be read: {(error.strerror or str(error)).lower()}."
        raise WorkbenchError("config-missing", message, _NAME_A_FILE) from error
    return SourceText(_decode(data).removeprefix(_BOM))


def _decode(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    return data.decode("utf-8", errors="replace")
