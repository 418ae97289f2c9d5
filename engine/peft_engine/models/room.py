"""Whether a model's weights fit into a machine's memory, told from the sizes of its files."""

from pathlib import Path

from peft_engine.models.formats import detect
from peft_schemas.errors import WorkbenchError


def require_room(path: Path, memory_bytes: int) -> None:
    """Refuse a model that is larger than the memory that is to hold it.

    What a model computes with comes on top, so this is a lower bound: a model that passes may still be too large.

    Args:
        path: A file or a folder.
        memory_bytes: All of the machine's memory.

    Raises:
        OSError: It cannot be read.
        WorkbenchError: Its weights alone take more (`model-too-large`).
    """
    files = detect(path).files if path.is_dir() else (path,)
    needed = sum(file.stat().st_size for file in files)
    if needed > memory_bytes:
        raise WorkbenchError(
            "model-too-large",
            f"The weights of {path.name} take {needed / 2**30:.1f} GiB, and this machine has "
            f"{memory_bytes / 2**30:.1f} GiB of memory.",
            "Take a smaller model, or one that is packed in fewer bits.",
        )
