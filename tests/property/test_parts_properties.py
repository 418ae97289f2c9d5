"""A document in parts means what the whole text means, however it came about."""

from hypothesis import example, given
from hypothesis import strategies as st

from peft_daemon.language.binding import bind
from peft_engine.config.document import parse
from peft_engine.config.nodes import plain
from peft_engine.config.reading import read
from peft_engine.config.text import SourceText
from tests.property.strategies import SNIPPETS, configs, examples, texts, to_yaml

LONG = "version: 1\ndatasets: # many\n\n" + "".join(
    f"  # source {i}\n  - path: data/{i}.jsonl\n    weight: 2\n\n" for i in range(30)
)

FLAT = "# c\n\nversion: 1\ndatasets:\n" + "".join(f"- path: data/{i}.jsonl\n" for i in range(22)) + "name: x\n# end\n"
PIECES = [
    "\n",
    "- ",
    "  - path: z\n",
    "- path: z\n",
    "k: v\n",
    "  k: v\n",
    "#",
    " ",
    "x",
    "\n---\n",
    "\r\n",
    "y" * 400,
    "",
]


@examples(150)
@given(texts())
@example("a: [1,\n2]\nb: 1\n")
@example('a: "x\n\ny"\nb: 1\n')
@example("a: |\n  x\n\n# c\nb: 1\n")
@example("datasets:\n- path: x\n- path: y\nmodel: 1\n")
@example("- a\nb: 1\n")
@example("a: &x 1\nb: *x\n")
@example("a: &x 1\nb: &x 2\nc: *x\n")
def test_A3_a_sound_text_means_the_same_in_parts_and_as_a_whole(text: str) -> None:
    source = SourceText(text)
    whole = read(source)
    document = parse(source)
    if whole.problems:
        return
    assert document.problems == ()
    assert document.root == whole.root
    assert sorted(document.comments) == sorted(whole.comments)


@examples(60)
@given(configs(), st.integers(0, 400))
def test_A3_the_entries_of_a_long_list_are_the_same_as_parts(config: dict, length: int) -> None:
    config["datasets"] = [{**config["datasets"][0], "path": f"data/{i}.jsonl"} for i in range(length % 40 + 1)]
    text = to_yaml(config)
    document = parse(SourceText(text))
    assert document.root == read(SourceText(text)).root
    assert document.to_plain() == plain(document.root) == config


@examples(100)
@given(st.one_of(texts(), st.just(LONG)), st.data())
def test_A3_a_document_does_not_depend_on_the_version_before_it(text: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(text)))
    new = text[:at] + data.draw(st.sampled_from(SNIPPETS)) + text[at + data.draw(st.integers(0, 8)) :]
    fresh, later = parse(SourceText(new)), parse(SourceText(new), parse(SourceText(text)))
    assert later.root == fresh.root
    assert later.problems == fresh.problems
    assert later.comments == fresh.comments
    # As text, because .nan is not equal to itself.
    assert repr(later.to_plain()) == repr(fresh.to_plain()) == repr(plain(fresh.root))


@examples(150)
@given(st.one_of(texts(), st.sampled_from([LONG, FLAT])), st.data())
def test_A3_an_edited_text_is_divided_as_a_fresh_one_is(text: str, data: st.DataObject) -> None:
    document = parse(SourceText(text))
    for _ in range(4):
        at = data.draw(st.integers(0, len(text)))
        behind = at + data.draw(st.sampled_from([0, 0, 0, 1, 2, 30]))
        text = text[:at] + data.draw(st.sampled_from([*SNIPPETS, *PIECES])) + text[behind:]
        document = parse(SourceText(text), document)
        fresh = parse(SourceText(text))
        assert [
            (placed.part.source.text, placed.part.list_key, placed.start, placed.line) for placed in document.parts
        ] == [(placed.part.source.text, placed.part.list_key, placed.start, placed.line) for placed in fresh.parts]


@examples(150)
@given(texts(), st.data())
def test_A3_an_edited_text_has_its_lines_where_a_fresh_one_has_them(text: str, data: st.DataObject) -> None:
    source = SourceText(text)
    for _ in range(3):
        start = data.draw(st.integers(0, len(source)))
        end = data.draw(st.integers(start, min(start + 12, len(source))))
        source = source.replace(source.range(start, end), data.draw(st.sampled_from([*SNIPPETS, "\n", "\r", "a\nb\n"])))
        fresh = SourceText(source.text)
        assert source.line_count == fresh.line_count
        assert [source.line_start(line) for line in range(fresh.line_count)] == [
            fresh.line_start(line) for line in range(fresh.line_count)
        ]


def test_A10_an_edit_of_a_long_file_reads_one_part_again() -> None:
    before = parse(SourceText(LONG))
    after = parse(SourceText(LONG.replace("data/17.jsonl", "data/x.jsonl")), before)
    known = {id(placed.part) for placed in before.parts}
    assert len(before.parts) == 32
    assert sum(id(placed.part) not in known for placed in after.parts) == 1
    # What stands before it was not even placed anew, as it is where the whole text is divided again.
    edited = next(index for index, placed in enumerate(after.parts) if id(placed.part) not in known)
    assert all(now is then for now, then in zip(after.parts[:edited], before.parts[:edited], strict=True))


def test_A10_an_edit_matches_the_entries_before_it_no_second_time() -> None:
    before = parse(SourceText(LONG.replace("version: 1", "version: 1\nmethod:\n  r: 8")))
    after = parse(SourceText(before.source.text.replace("data/17.jsonl", "data/x.jsonl")), before)
    known = bind(before)
    assert bind(after, known).at(("method", "r")) is known.at(("method", "r"))
    assert bind(after).at(("method", "r")) == known.at(("method", "r"))


def test_A10_a_half_typed_key_leaves_the_parts_around_it_as_they_were() -> None:
    before = parse(SourceText(LONG + "training:\n  seed: 1\n"))
    for typed in ("training:\n  seed: 1\n  lear\n", "training:\n  seed: 1\ntrai\n"):
        after = parse(SourceText(LONG + typed), before)
        assert [problem.kind for problem in after.problems] == ["incomplete"]
        assert len(after.parts) >= 33
        assert after.to_plain()["training"] == {"seed": 1}
