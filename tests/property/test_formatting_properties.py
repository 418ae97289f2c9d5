"""Formatting: it changes how a config looks and never what it says."""

from hypothesis import given
from hypothesis import strategies as st

from peft_daemon.language.layout import apply, layout, layout_of_lines
from peft_engine.config.document import Document, parse
from peft_engine.config.text import SourceText
from tests.property.strategies import configs, examples, texts, to_yaml

BLOCKS = [
    "# about it\n", "note: |\n    one\n      two  \n\n", "keep: >+\n  text\n\n\n", "long: 'a\n\n   b'\n",
    "plain: some\n   words  \n", "flow: {a: 1,\n    # inside\n  b: [1,\n 2]}\n",
    "list:\n- - 1\n  -   2\n-    k:  v\n     l: 😀   # face\n",
    "base: &b\n      x:   1\nuse: *b\nmore:\n   <<: *b\n   y:  2\n", "q:  !!str 1\n", "? odd\n: key\n", "empty:\n",
    "-x: 1\n", "deep:\n    a:\n        b:\n           # note\n           c:   1\n      # left\n",
    "e: |2\n      x\n    y\n", "nan: .nan\n",
]  # fmt: skip


@st.composite
def untidy(draw: st.DrawFn) -> str:
    """A readable config with blanks, blank lines, comments and line ends of every kind."""
    lines = []
    odd = draw(st.lists(st.sampled_from(BLOCKS), max_size=4, unique=True))
    for line in "".join([to_yaml(draw(configs())), *odd]).splitlines():
        head, colon, rest = line.partition(": ")
        spread = draw(st.sampled_from(["", " ", "    "])) if colon and "'" not in head and '"' not in head else ""
        lines.append(head + colon + spread + rest + draw(st.sampled_from(["", "", "  ", "\t", "  # said"])))
        if draw(st.integers(0, 6)) == 0:
            lines += draw(st.lists(st.sampled_from(["", "  ", "# note", "   # further in"]), max_size=4))
    start, end = draw(st.sampled_from(["", "\ufeff", "---\n", "\n\n"])), draw(st.sampled_from(["\n", "\r\n"]))
    return (start + "\n".join(lines) + draw(st.sampled_from(["", "\n", "\n\n\n"]))).replace("\n", end)


def read(text: str) -> Document:
    return parse(SourceText(text))


def formatted(text: str, step: int = 2) -> str:
    return apply(read(text).source.text, layout(read(text), step))


def comments(document: Document) -> list[str]:
    return [document.source.text[start:end].rstrip() for start, end in sorted(document.comments)]


@examples(60)
@given(st.one_of(untidy(), texts()), st.sampled_from([2, 4]))
def test_A16_formatting_twice_is_formatting_once(text: str, step: int) -> None:
    once = formatted(text, step)
    assert formatted(once, step) == once


@examples(60)
@given(st.one_of(untidy(), texts()))
def test_A16_formatting_keeps_every_value_and_every_comment_in_its_order(text: str) -> None:
    before, after = read(text), read(formatted(text))
    assert repr(before.to_plain()) == repr(after.to_plain())
    assert comments(before) == comments(after)


@examples(30)
@given(configs(), st.integers(3, 8), st.booleans(), st.data())
def test_A16_every_way_to_write_a_config_ends_in_the_same_layout(
    config: dict, step: int, windows: bool, data: st.DataObject
) -> None:
    end = "\r\n" if windows else "\n"
    usual = to_yaml(config).replace("\n", end)
    wide = formatted(usual, step)
    assert all(line.startswith((" " * step, "- ")) or line[:1] != " " for line in wide.splitlines())
    lines = [line + data.draw(st.sampled_from(["", " ", "\t"])) for line in wide.split(end)]
    assert formatted(end.join(lines)) == usual


@examples(30)
@given(untidy(), st.sampled_from([2, 4, 7]), st.data())
def test_A16_formatting_some_lines_touches_no_other_and_keeps_the_values(
    text: str, step: int, data: st.DataObject
) -> None:
    document = read(formatted(text, step))
    source = document.source
    first = data.draw(st.integers(0, source.line_count - 1))
    last = data.draw(st.integers(first, source.line_count - 1))
    changes = layout_of_lines(document, first, last)
    for change in changes:
        assert first <= source.line_of(change.start) <= source.line_of(max(change.end - 1, change.start)) <= last
    assert repr(read(apply(source.text, changes)).to_plain()) == repr(document.to_plain())


@examples(60)
@given(texts())
def test_A16_a_text_with_faults_is_left_as_it_is(text: str) -> None:
    document = read(text)
    if not document.is_sound:
        assert layout(document) == []
