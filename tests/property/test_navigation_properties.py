"""Navigation in any text: always an answer, and renames that change names and nothing else."""

from contextlib import suppress
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from peft_daemon.language.anchors import anchors
from peft_daemon.language.documents import OpenDocument
from peft_daemon.language.features.definition import definition
from peft_daemon.language.features.formatting import format_new_line
from peft_daemon.language.features.highlight import highlights
from peft_daemon.language.features.links import document_links
from peft_daemon.language.features.references import references
from peft_daemon.language.features.rename import Refused, prepare_rename, rename
from peft_daemon.language.features.selection import selection_range
from peft_daemon.language.features.workspace_symbols import workspace_symbols
from peft_daemon.language.mentions import mentions
from peft_daemon.language.relocation import moved_by, rewrite
from peft_daemon.lsp.types import Position
from tests.property.strategies import examples, texts
from tests.unit.language.features.marked import after, opened, shown

ROOT = Path("/no/such")
FOLDERS = [ROOT, ROOT / "data", ROOT / "data" / "deep", ROOT / "runs"]


def places(document: OpenDocument) -> st.SearchStrategy[Position]:
    lines = st.integers(0, document.source.line_count)
    return st.builds(lambda line, character: {"line": line, "character": character}, lines, st.integers(0, 30))


@examples(200)
@given(texts(), st.data())
def test_A16_every_text_has_answers_at_every_place(text: str, data: st.DataObject) -> None:
    document = opened(text)
    place = data.draw(places(document))
    definition(document, place)
    highlights(document, place)
    references(document, place, [document], declaration=True)
    document_links(document)
    workspace_symbols("a", [document], [])
    with suppress(Refused):
        assert shown(document, prepare_rename(document, place, files=True)["range"])
    with suppress(Refused):
        rename(document, place, "new", [document], files=True, as_document_changes=True)
    for edit in format_new_line(document, place):
        assert not shown(document, edit["range"]).strip()
    current = selection_range(document, place)
    while "parent" in current:
        assert shown(document, current["range"]) in shown(document, current["parent"]["range"])
        current = current["parent"]


@st.composite
def anchored(draw: st.DrawFn) -> str:
    """A text whose anchors stand in every place, some of them twice, among words that only look like them."""
    names = st.sampled_from(["a", "ab", "a-b", "é😀", "x1"])
    lines, known = [], []
    for index in range(draw(st.integers(1, 8))):
        name = draw(names)
        kind = draw(st.sampled_from(["value", "block", "flow", "item", "quoted", "comment", "alias", "merge"]))
        if kind in ("alias", "merge") and not known:
            continue
        used = draw(st.sampled_from(known)) if known else name
        lines.append(
            {
                "value": f"k{index}: &{name} {{v: {index}}}\n",
                "block": f"k{index}: &{name} # &{name} *{name}\n  v: '&{name}'\n",
                "flow": f"k{index}: {{n: &{name} {{v: {index}}}, m: [*{name}]}}\n",
                "item": f"k{index}:\n- &{name}\n  v: 1\n- *{name}\n",
                "quoted": f"k{index}: 'see &{name} *{name}'\n",
                "comment": f"# &{name} and *{name}\n",
                "alias": f"k{index}: *{used}\n",
                "merge": f"k{index}:\n  <<: *{used}\n  w: 2\n",
            }[kind]
        )
        if kind in ("value", "block", "flow", "item"):
            known.append(name)
    return "".join(lines)


@examples(150)
@given(anchored(), st.data())
def test_A16_renaming_an_anchor_changes_its_name_and_nothing_else(text: str, data: st.DataObject) -> None:
    document = opened(text)
    found = anchors(document.document)
    if not found:
        return
    place = data.draw(st.sampled_from([place for anchor in found for place in anchor.places()]))
    position = document.source.position(place[0] + 1)
    cursor: Position = {"line": position.line, "character": position.character}
    edit = rename(document, cursor, "fresh.1", [document], files=False, as_document_changes=False)
    renamed = opened(after(document, edit["changes"][document.uri]))
    assert renamed.document.is_sound
    assert renamed.document.to_plain() == document.document.to_plain()
    comments = [shown(document, _range(document, span)) for span in document.document.comments]
    assert comments == [shown(renamed, _range(renamed, span)) for span in renamed.document.comments]
    assert [anchor.name for anchor in anchors(renamed.document)].count("fresh.1") == 1


@examples(150)
@given(st.data())
def test_A16_configs_name_the_same_files_after_any_move(data: st.DataObject) -> None:
    files = [data.draw(st.sampled_from(FOLDERS)) / f"{name}.jsonl" for name in ("a", "b ü", "c: d")]
    config = data.draw(st.sampled_from(FOLDERS)) / "run.peft.yaml"
    styles = st.sampled_from(["relative", "dotted", "absolute"])
    entries = [_written(file, config.parent, data.draw(styles), data.draw(st.sampled_from("'\""))) for file in files]
    document = opened("datasets:\n" + "".join(f"  - path: {entry} # kept\n" for entry in entries), config)
    old = data.draw(st.sampled_from([*files, config, *FOLDERS[1:]]))
    new = ROOT / "moved" / old.name
    moved = moved_by([(old, new)])
    text = document.source.text
    for one in rewrite([document], moved):
        text = after(document, one.edits)
    named = [mention.path for mention in mentions(opened(text, moved(config)))]
    assert named == [moved(file) for file in files]
    assert text.count("# kept") == 3


def _written(file: Path, folder: Path, style: str, quote: str) -> str:
    climbs = len(folder.relative_to(ROOT).parts)
    path = "../" * climbs + file.relative_to(ROOT).as_posix()
    dotted = path if climbs else f"./{path}"
    return quote + {"relative": path, "dotted": dotted, "absolute": file.as_posix()}[style] + quote


def _range(document: OpenDocument, span: tuple[int, int]) -> dict:
    return document.source.range(*span).model_dump()
