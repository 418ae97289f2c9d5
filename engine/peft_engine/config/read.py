"""Reading a config file's bytes as text."""

from pathlib import Path

from peft_engine.config.document import MAX_LENGTH
from peft_engine.config.text import SourceText
from peft_schemas.errors import WorkbenchError

_BOM = "\ufeff"
_MAX_BYTES = 4 * MAX_LENGTH + 4
"""Bytes that are read at most: beyond them the text is too long whatever it holds."""


def read_source(path: Path) -> SourceText:
    """Return the text of a config file, as an editor would show it: without a byte order mark.

    What is not UTF-8 becomes U+FFFD, which the check names, so that all other findings keep their places.

    Raises:
        WorkbenchError: There is no such file, or it cannot be opened (`config-missing`).
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES)
    except FileNotFoundError as error:
        raise WorkbenchError("config-missing", f"There is no file {path}.", "Check the path.") from error
    except OSError as error:
        message = f"{path} cannot be read: {(error.strerror or str(error)).lower()}."
        raise WorkbenchError("config-missing", message, "Name a config file, such as run.peft.yaml.") from error
    return SourceText(_decode(data).removeprefix(_BOM))


def _decode(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    return data.decode("utf-8", errors="replace")
