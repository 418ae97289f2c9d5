"""Where a finding points, and how places are called in sentences."""

from peft_engine.config.document import Document, Path
from peft_engine.config.nodes import Alias, Entry, Node
from peft_schemas.findings import Range, Related


def key_place(document: Document, entry: Entry, via: Alias | None) -> tuple[Range, list[Related]]:
    """Return the range of a key at its place of use; what came through an alias points to where it is written."""
    return _place(document, entry.key, via)


def value_place(document: Document, node: Node, via: Alias | None) -> tuple[Range, list[Related]]:
    """Return the range of a value at its place of use, in the same way."""
    if isinstance(node, Alias) and node.target is not None and via is None:
        return _place(document, node.target, node)
    return _place(document, node, via)


def dotted(path: Path) -> str:
    """Write a path as people do: `datasets[0].path`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def section_name(path: Path) -> str:
    """Name a section in a sentence."""
    if not path:
        return "The top level"
    if isinstance(path[-1], int):
        return f"An entry of `{dotted(path[:-1])}`"
    return f"`{dotted(path)}`"


def _place(document: Document, node: Node, via: Alias | None) -> tuple[Range, list[Related]]:
    if via is None:
        return document.range(node), []
    return document.range(via), [Related(range=document.range(node), message="It is written here.")]
