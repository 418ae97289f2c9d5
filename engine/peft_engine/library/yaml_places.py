"""Where a value stands in a YAML text, as an editor counts: lines from 0, characters in UTF-16."""

from collections.abc import Iterator, Sequence

import yaml

from peft_schemas.findings import Position, Range


class YamlPlaces:
    """The places in one text."""

    def __init__(self, text: str) -> None:
        """Read the text.

        Raises:
            yaml.YAMLError: It is no YAML.
        """
        self._lines = text.splitlines()
        self._root = yaml.compose(text, Loader=yaml.SafeLoader)

    def of_value(self, path: Sequence[int | str]) -> Range | None:
        """Return the range of a value; of the nearest thing around it where it is not there, None in an empty text."""
        return self._range(self._find(path)[1])

    def of_key(self, path: Sequence[int | str]) -> Range | None:
        """Return the range of the key that a value stands under; of the value itself where it has none."""
        key, value = self._find(path)
        return self._range(key or value)

    def _find(self, path: Sequence[int | str]) -> tuple[yaml.Node | None, yaml.Node | None]:
        key, node = None, self._root
        for step in path:
            found = next(((key, value) for name, key, value in _children(node) if name == step), None)
            if found is None:
                break
            key, node = found
        return key, node

    def _range(self, node: yaml.Node | None) -> Range | None:
        if node is None:
            return None
        start, end = node.start_mark, node.end_mark
        if isinstance(node, yaml.CollectionNode):
            # A block ends where the next thing begins; its first line is what one looks at.
            line = self._lines[start.line] if start.line < len(self._lines) else ""
            return range_in(self._lines, start.line, start.column, start.line, len(line.rstrip()))
        return range_in(self._lines, start.line, start.column, end.line, end.column)


def range_in(lines: Sequence[str], start_line: int, start: int, end_line: int, end: int) -> Range:
    """Return a range of a text from its places as PyYAML counts them, in code points."""
    return Range(
        start=Position(line=start_line, character=_units(lines, start_line, start)),
        end=Position(line=end_line, character=_units(lines, end_line, end)),
    )


def _units(lines: Sequence[str], line: int, column: int) -> int:
    before = lines[line][:column] if line < len(lines) else ""
    return len(before.encode("utf-16-le", errors="surrogatepass")) // 2


def _children(node: yaml.Node | None) -> Iterator[tuple[int | str, yaml.Node | None, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        yield from ((str(key.value), key, value) for key, value in node.value)
    elif isinstance(node, yaml.SequenceNode):
        yield from ((number, None, value) for number, value in enumerate(node.value))
