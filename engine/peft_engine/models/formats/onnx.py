"""What an ONNX graph would read beside itself, and whether it may.

A graph can name other files that hold its tensors ("external data"), and runtimes that open them without a look have
been led out of the model's folder: by `..`, by links, by tensors of kinds that were forgotten in the check
(CVE-2024-27318, CVE-2026-27489, CVE-2026-34446, CVE-2026-34447). Here every message that can hold a tensor is looked
into, and no file that is named is opened. The messages are those of onnx.proto.
"""

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from peft_engine.models.damage import DamagedFile, TruncatedFile
from peft_engine.models.formats.protobuf import BYTES, VARINT, Field, Messages

_IR_VERSION, _GRAPH = 1, 7
_DEEPEST = 48
"""Messages within messages; a graph within a graph is three deep. Real models have three graphs."""

_INSIDE = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
"""For each kind of message the fields that lead to tensors, and the kind of message in them."""

_EXTERNAL_DATA, _DATA_LOCATION, _EXTERNAL = 13, 14, 1


@dataclass(frozen=True)
class _External:
    """Where a tensor's numbers are said to be."""

    location: str
    offset: int
    length: int
    sparse: bool


def is_onnx(path: Path) -> bool:
    """Tell whether a file is an ONNX graph.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        try:
            return _is_graph(list(Messages(file).fields()))
        except DamagedFile:
            return False


def check_onnx(path: Path) -> list[Path]:
    """See that a graph reads nothing but files of its own folder, whole ones.

    Args:
        path: The graph's file.

    Returns:
        The files with external data.

    Raises:
        OSError: The graph cannot be read.
        DamagedFile: It is no graph, or names a file that it may not, by the words of the message.
    """
    with path.open("rb") as file:
        messages = Messages(file)
        if not _is_graph(list(messages.fields())):
            raise DamagedFile("it is not an ONNX graph")
        return sorted({_allowed(path.parent, external) for external in _externals(messages, "model", None, 0)})


def _is_graph(fields: list[Field]) -> bool:
    kinds = {(field.number, field.kind) for field in fields}
    return {(_IR_VERSION, VARINT), (_GRAPH, BYTES)} <= kinds


def _externals(
    messages: Messages, kind: str, within: Field | None, depth: int, *, sparse: bool = False
) -> Iterator[_External]:
    if depth > _DEEPEST:
        raise DamagedFile("its graphs are nested more deeply than any model's")
    for field in messages.fields(within):
        inner = _INSIDE[kind].get(field.number)
        if inner is None or field.kind != BYTES:
            continue
        if inner != "tensor":
            yield from _externals(messages, inner, field, depth + 1, sparse=sparse or inner == "sparse")
        elif (external := _external(messages, field, sparse=sparse)) is not None:
            yield external


def _external(messages: Messages, tensor: Field, *, sparse: bool) -> _External | None:
    """Return where a tensor's numbers are, None where they are in the graph itself."""
    entries: dict[str, str] = {}
    is_external = False
    for field in messages.fields(tensor):
        if field.number == _DATA_LOCATION:
            is_external = field.value == _EXTERNAL
        elif field.number == _EXTERNAL_DATA and field.kind == BYTES:
            pair = {part.number: messages.text(part) for part in messages.fields(field) if part.number in (1, 2)}
            entries[pair.get(1, "")] = pair.get(2, "")
    if not is_external and not entries:
        return None
    try:
        offset, length = int(entries.get("offset", "0")), int(entries.get("length", "0"))
    except ValueError as error:
        raise DamagedFile("a tensor's place in its file is no number") from error
    return _External(entries.get("location", ""), offset, length, sparse)


def _allowed(folder: Path, external: _External) -> Path:
    """Return the file that a tensor names, when it may."""
    shown = external.location[:80]
    if external.sparse:
        raise DamagedFile(f"a sparse tensor names the file {shown!r}, which no runtime checks")
    location = PurePosixPath(external.location)
    windows = PureWindowsPath(external.location)
    if not location.parts or location.is_absolute() or windows.drive or windows.root or "\\" in external.location:
        raise DamagedFile(f"a tensor names {shown!r}, which is no file of the model's folder")
    if ".." in location.parts or "\x00" in external.location:
        raise DamagedFile(f"a tensor names {shown!r}, which leads out of the model's folder")
    file = folder
    for part in location.parts:
        file /= part
        try:
            found = file.lstat()
        except OSError as error:
            raise DamagedFile(f"a tensor names {shown!r}, which is not there") from error
        if stat.S_ISLNK(found.st_mode):
            raise DamagedFile(f"a tensor names {shown!r}, which is a link and may lead anywhere")
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        raise DamagedFile(f"a tensor names {shown!r}, which is no file of this model alone")
    if external.offset < 0 or external.length < 0 or external.offset + external.length > found.st_size:
        raise TruncatedFile(f"a tensor lies beyond the {found.st_size} bytes of {shown!r}")
    return file
