"""Reading one stretch of text: its nodes, and everything wrong with the text itself."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache

import tree_sitter_yaml
from tree_sitter import Language, Parser, Tree
from tree_sitter import Node as SyntaxNode

from peft_engine.config.build import Builder, Refused
from peft_engine.config.nodes import Mapping, Node, Sequence, merge_sources, target
from peft_engine.config.problems import Problem
from peft_engine.config.recovery import mask_unreadable, recover
from peft_engine.config.text import SourceText

_MAX_BLOCK_DEPTH = 100
"""Block levels beyond which the text is not even given to tree-sitter, whose YAML scanner crashes near 250."""

_MAX_OPEN = 200
"""Open brackets beyond which libyaml, whose time grows with their square, is not asked."""

_BRACKET = re.compile(r"[\[\]{}]")
_INDICATOR = re.compile(r"[-?:](?=\s|$)")


@dataclass(frozen=True, eq=False)
class Reading:
    """What a text says. Offsets count in that text."""

    root: Node | None
    """None for an empty text, and for one that had to be refused."""

    problems: tuple[Problem, ...]
    """In the order of the text."""

    comments: tuple[tuple[int, int], ...]
    has_aliases: bool = False


def read(source: SourceText) -> Reading:
    """Read a text of any content in bounded time. Faults become problems; nothing is raised."""
    refusal = _refusal(source)
    if refusal is not None:
        return Reading(None, (refusal,), ())
    masked = mask_unreadable(source)
    problems = list(masked.problems)
    text = masked.text
    tree = _tree(text)
    if tree.root_node.has_error:
        recovered = recover(source, text, is_valid)
        problems.extend(recovered.problems)
        text = recovered.text
        tree = _tree(text)
        if tree.root_node.has_error and not recovered.problems:
            problems.append(_unexplained(source, tree.root_node))
    # What was blanked takes fewer bytes than before, so bytes are counted in what was read.
    builder = Builder(source if text is source.text else SourceText(text), text.encode())
    try:
        root = _build(tree.root_node, builder, problems)
    except Refused as refused:
        return Reading(None, (Problem("limit", str(refused), 0, source.line_end(0)),), ())
    problems.extend(builder.problems)
    problems.extend(_bad_merges(root))
    problems.sort(key=lambda problem: (problem.start, problem.end))
    return Reading(root, tuple(problems), tuple(builder.comments), builder.has_aliases)


def is_valid(text: str) -> bool:
    """Tell whether a text parses without an error."""
    return not _tree(text).root_node.has_error


@cache
def _parser() -> Parser:
    return Parser(Language(tree_sitter_yaml.language()))


@lru_cache(maxsize=1)
def _tree(text: str) -> Tree:
    # Mending asks for the same text twice at its beginning and twice at its end.
    return _parser().parse(text.encode())


def _refusal(source: SourceText) -> Problem | None:
    """Return why a text is not even given to a parser: some texts take a parser's time or memory beyond all bounds."""
    too_deep = _too_deep_in_blocks(source)
    too_deep = _too_deep_in_brackets(source) if too_deep is None else too_deep
    if too_deep is None:
        return None
    start, end = source.line_start(too_deep), source.line_end(too_deep)
    return Problem("limit", "This is nested too deeply, so the file is not read.", start, end)


def _too_deep_in_blocks(source: SourceText) -> int | None:
    """Return the first line at which blocks may be nested beyond `_MAX_BLOCK_DEPTH`, by an upper bound."""
    # The bound of all lines together, which a part of a config hardly ever reaches.
    if source.line_count + len(_INDICATOR.findall(source.text)) <= _MAX_BLOCK_DEPTH:
        return None
    levels: list[tuple[int, int]] = []
    depth = 0
    for line in range(source.line_count):
        written = source.line(line)
        stripped = written.lstrip(" \t")
        if not stripped:
            continue
        indent = len(written) - len(stripped)
        while levels and levels[-1][0] >= indent:
            depth -= levels.pop()[1]
        here = 1 + len(_INDICATOR.findall(stripped))
        depth += here
        levels.append((indent, here))
        if depth > _MAX_BLOCK_DEPTH:
            return line
    return None


def _too_deep_in_brackets(source: SourceText) -> int | None:
    """Return the line at which more than `_MAX_OPEN` brackets are open, those in texts and comments included."""
    depth = 0
    for match in _BRACKET.finditer(source.text):
        depth = depth + 1 if match.group() in "[{" else max(depth - 1, 0)
        if depth > _MAX_OPEN:
            return source.line_of(match.start())
    return None


def _build(stream: SyntaxNode, builder: Builder, problems: list[Problem]) -> Node | None:
    documents = [child for child in stream.named_children if child.type == "document"]
    builder.comments.extend(
        (builder.offset(child.start_byte), builder.offset(child.end_byte))
        for child in stream.named_children
        if child.type == "comment"
    )
    for extra in documents[1:]:
        start = builder.offset(extra.start_byte)
        message = "A config is one YAML document; what follows `---` is not read."
        end = min(start + len("---"), builder.offset(extra.end_byte))
        problems.append(Problem("documents", message, start, end))
    if not documents:
        return None
    root: Node | None = None
    for child in documents[0].named_children:
        if child.type == "comment":
            builder.comments.append((builder.offset(child.start_byte), builder.offset(child.end_byte)))
        elif child.type in ("block_node", "flow_node"):
            root = builder.build(child)
    return root


def _unexplained(source: SourceText, root: SyntaxNode) -> Problem:
    """Name a fault that only tree-sitter sees."""
    node = root
    while node.children and node.type != "ERROR" and not node.is_missing:
        node = next((child for child in node.children if child.has_error or child.is_missing), node.children[0])
    line = min(node.start_point.row, source.line_count - 1)
    start, end = source.line_start(line), source.line_end(line)
    return Problem("syntax", "This line cannot be read as YAML.", start, end)


def _bad_merges(node: Node | None) -> Iterator[Problem]:
    """Find merge keys whose value is neither a mapping nor an alias of one, nor a list of these."""
    if isinstance(node, Sequence):
        for item in node.items:
            yield from _bad_merges(item)
    if not isinstance(node, Mapping):
        return
    for entry in node.entries:
        yield from _bad_merges(entry.value)
        for source, via in merge_sources(entry.value) if entry.merges else ():
            found = target(source)
            if found is not None and not isinstance(found, Mapping):  # an undefined alias has its own problem
                place = via or source
                message = "A merge key takes a mapping or an alias of one, or a list of these."
                yield Problem("merge", message, place.start, place.end)
