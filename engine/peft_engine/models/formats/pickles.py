"""Recognising pickles by their bytes. They are taken apart as a list of operations and never run."""

import pickletools
from pathlib import Path

_PROTOCOLS = tuple(bytes([0x80, protocol]) for protocol in range(2, 6))
_MOST_BYTES = 2**20
_MOST_OPERATIONS = 10_000
_IMPORTS = frozenset({"GLOBAL", "STACK_GLOBAL", "INST"})
"""The operations that name something to be imported: what makes a pickle dangerous, and torch's files pickles."""

_TAR_MAGIC, _TAR_MAGIC_PLACE = b"ustar", 257
_OLD_TORCH = (b"sys_info\x00", b"pickle\x00", b"storages\x00", b"tensors\x00")
"""First names in the tar files that PyTorch wrote before 0.1.10."""


def looks_pickled(path: Path) -> bool:
    """Tell whether a file begins with a pickle, or with PyTorch's tar of pickles.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(_MOST_BYTES)
    if start.startswith(_OLD_TORCH) and start[_TAR_MAGIC_PLACE:].startswith(_TAR_MAGIC):
        return True
    return _reads_as_pickle(start)


def _reads_as_pickle(start: bytes) -> bool:
    imports = False
    try:
        for index, (operation, _, _) in enumerate(pickletools.genops(start)):
            imports = imports or operation.name in _IMPORTS
            if operation.name == "STOP" or index >= _MOST_OPERATIONS:
                # A single stray byte can be a whole pickle of protocol 0; one with a header or an import is none.
                return imports or start.startswith(_PROTOCOLS)
    except Exception:  # whatever strangers' bytes make of the parser
        return imports and start.startswith(_PROTOCOLS)
    return False
