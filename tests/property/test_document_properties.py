"""The document: an edited text is the same as a fresh one, and scalars mean what libyaml's own reading says."""

import string
from itertools import pairwise

import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from peft_daemon.language.convert import range_to_lsp
from peft_daemon.language.documents import DocumentStore
from peft_engine.config.document import parse
from peft_engine.config.scalars import plain_value
from peft_engine.config.text import SourceText
from tests.property.strategies import SNIPPETS, VALID, examples, texts

URI = "file:///x.peft.yaml"


@examples(150)
@given(texts())
def test_A3_every_offset_has_one_position_and_back(text: str) -> None:
    source = SourceText(text)
    positions = [source.position(offset) for offset in range(len(source) + 1)]
    for before, after in pairwise(positions):
        assert (before.line, before.character) < (after.line, after.character)
    for offset, position in enumerate(positions):
        # Between the two characters of a CRLF is no place of its own in LSP.
        inside_line_end = source.text[offset - 1 : offset + 1] == "\r\n"
        assert inside_line_end or source.offset(position) == offset


@examples(100)
@given(st.data())
def test_A3_edits_one_by_one_give_the_same_document_as_the_final_text(data: st.DataObject) -> None:
    store = DocumentStore()
    store.open(URI, 1, VALID)
    expected = VALID
    for version in range(2, 2 + data.draw(st.integers(1, 8))):
        start = data.draw(st.integers(0, len(expected)))
        end = data.draw(st.integers(start, min(start + 10, len(expected))))
        new = data.draw(st.one_of(st.sampled_from([s for s in SNIPPETS if s != "\ud800"]), st.text(max_size=4)))
        assume("\r" not in expected[max(start - 1, 0) : end + 1])
        source = SourceText(expected)
        where = source.range(start, end)
        change = {"range": range_to_lsp(where), "text": new}
        store.change(URI, version, [change])
        expected = expected[:start] + new + expected[end:]
    document = store.get(URI)
    assert document is not None
    fresh = parse(SourceText(expected))
    assert document.source.text == fresh.source.text
    assert document.document.problems == fresh.problems
    assert document.document.root == fresh.root


@examples(200)
@given(
    st.text(alphabet=string.ascii_letters + string.digits + " \t'\"\\:#-\né😀", max_size=30), st.sampled_from("'\"|>")
)
def test_A2_quoted_and_block_texts_mean_what_libyaml_reads(text: str, style: str) -> None:
    written = yaml.dump({"k": text}, default_style=style, allow_unicode=True, width=20)
    assert yaml.safe_load(written) == {"k": text}
    assert parse(SourceText(written)).to_plain() == {"k": text}


def merging() -> st.SearchStrategy[str]:
    """A mapping in brackets, with mappings merged into it in place, by aliases, and in lists of both."""
    pairs = st.lists(st.tuples(st.sampled_from("pqrs"), st.integers(0, 9)), max_size=3, unique_by=lambda pair: pair[0])

    def mapping(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        source = st.one_of(inner, st.sampled_from(["*x", "*y"]))
        value = st.one_of(source, st.lists(source, max_size=3).map(lambda many: f"[{', '.join(many)}]"), st.just("*z"))
        merge = st.one_of(st.none(), value)
        return st.tuples(pairs, merge, st.integers(0, 3)).map(lambda parts: _flow(*parts))

    return st.recursive(mapping(st.just("{p: 0}")), mapping, max_leaves=6)


def _flow(pairs: list[tuple[str, int]], merge: str | None, at: int) -> str:
    written = [f"{key}: {value}" for key, value in pairs]
    if merge is not None:
        written.insert(at, f"<<: {merge}")
    return f"{{{', '.join(written)}}}"


@examples(150)
@given(st.lists(merging(), min_size=3, max_size=3))
def test_A2_merges_mean_what_PyYAML_reads_whichever_version_came_before(versions: list[str]) -> None:
    head = "x: &x {p: 10, q: 11}\ny: &y {<<: *x, r: 12}\nz: &z [*y, {s: 13}]\n"
    document = None
    for merged in versions:
        text = f"{head if '*' in merged else ''}k: {merged}\nl:\n  - a: {merged}\n  - b: 1\n"
        document = parse(SourceText(text), document)
        fresh = parse(SourceText(text))
        assert document.problems == fresh.problems == ()
        assert document.root == fresh.root
        assert document.to_plain() == fresh.to_plain() == yaml.safe_load(text)


@examples(300)
@given(st.from_regex(r"[-+.0-9eEx_a-fo~]{1,8}", fullmatch=True))
def test_A2_plain_numbers_are_those_of_the_core_schema(text: str) -> None:
    value = plain_value(text)
    if isinstance(value, float):
        assert float(text) == value
    elif isinstance(value, int):
        assert int(text, 0 if text[:2] in ("0x", "0o") else 10) == value
    else:
        assert value == (None if text == "~" else text)
