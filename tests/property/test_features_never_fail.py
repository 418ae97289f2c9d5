"""What the editor asks about a text is answered or declined at every place of any text, and never fails."""

from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from peft_daemon.language.binding import bind
from peft_daemon.language.check import check_document
from peft_daemon.language.context import NOTHING_KNOWN
from peft_daemon.language.documents import OpenDocument
from peft_daemon.language.features import (
    code_lens,
    completion,
    definition,
    diagnostics,
    folding,
    formatting,
    highlight,
    hover,
    inlay_hints,
    links,
    references,
    rename,
    selection,
    semantic_tokens,
    symbols,
    workspace_symbols,
)
from peft_daemon.language.fix_all import repaired
from peft_daemon.language.refactoring.offer import Conflict
from peft_daemon.language.refactoring.offers import offered
from peft_daemon.language.revision import NotInPlace, Revision
from peft_daemon.language.rules.subject import Subject
from peft_engine.config.text import SourceText
from tests.property.strategies import configs, examples, texts, to_yaml

URI = "file:///project/x.peft.yaml"

ANY_TEXT = st.one_of(texts(), configs().map(to_yaml))


def open_text(text: str) -> OpenDocument:
    return OpenDocument(URI, 1, SourceText(text))


def subject_of(document: OpenDocument) -> Subject:
    return Subject(document.document, bind(document.document), NOTHING_KNOWN)


def place_in(document: OpenDocument, offset: int) -> Any:
    position = document.source.position(offset)
    return {"line": position.line, "character": position.character}


def ranges_in(answer: Any) -> list[Any]:
    """Every range in an answer, wherever it is."""
    if isinstance(answer, dict):
        own = [answer] if {"start", "end"} <= answer.keys() else []
        return own + [found for value in answer.values() for found in ranges_in(value)]
    if isinstance(answer, list | tuple):
        return [found for value in answer for found in ranges_in(value)]
    return []


def assert_inside(document: OpenDocument, answer: Any) -> None:
    end = place_in(document, len(document.source))
    for found in ranges_in(answer):
        start, stop = ((found[side]["line"], found[side]["character"]) for side in ("start", "end"))
        assert (0, 0) <= start <= stop <= (end["line"], end["character"]), found


@examples(100)
@given(ANY_TEXT)
@example("a: &a [*a]\n")
@example("<<: *a\n")
@example("\ud800: 1\n")
@example("\ufeff")
@example("n:\x85 \n:")
@example("...\n\x00")
@example("n: \x85\n😀😀\n? *fou")
def test_A16_what_is_asked_about_a_whole_text_never_fails(text: str) -> None:
    document = open_text(text)
    subject = subject_of(document)
    for answer in (
        symbols.symbols(document),
        folding.folding_ranges(document),
        links.document_links(document),
        code_lens.lenses(URI, subject),
        list(inlay_hints.hints(subject)),
        formatting.format_document(document),
        workspace_symbols.workspace_symbols("a", [document], []),
        [diagnostics.to_diagnostic(URI, finding) for finding in check_document(document.document)],
    ):
        assert_inside(document, answer)
    encoded = semantic_tokens.encode(semantic_tokens.tokens(document))
    assert len(encoded) % 5 == 0
    assert all(number >= 0 for number in encoded)


@examples(100)
@given(ANY_TEXT, st.data())
def test_A16_what_is_asked_about_a_place_never_fails(text: str, data: st.DataObject) -> None:
    document = open_text(text)
    subject = subject_of(document)
    for _ in range(3):
        offset = data.draw(st.integers(0, len(document.source)))
        position = place_in(document, offset)
        for answer in (
            hover.hover(subject, offset),
            completion.complete(subject, offset, snippets=True, file=None),
            definition.definition(document, position),
            highlight.highlights(document, position),
            references.references(document, position, [document], declaration=True),
            selection.selection_range(document, position),
            formatting.format_new_line(document, position),
            formatting.format_range(document, {"start": position, "end": position}),
        ):
            assert_inside(document, answer)
        _rename(document, position)


@examples(60)
@given(ANY_TEXT, st.data())
def test_A13_what_can_be_changed_at_a_place_is_offered_and_made_without_failing(text: str, data: st.DataObject) -> None:
    document = open_text(text)
    revision = Revision(document.document, NOTHING_KNOWN)
    line = data.draw(st.integers(0, max(document.source.line_count - 1, 0)))
    for offer in offered(revision, line):
        try:
            offer.change()
        except (NotInPlace, Conflict):
            continue


@examples(40)
@given(ANY_TEXT)
def test_A13_repairing_all_of_any_text_never_fails_and_brings_no_error(text: str) -> None:
    before = Revision(open_text(text).document, NOTHING_KNOWN)
    after = repaired(before)
    errors = [
        sum(finding.severity == "error" for finding in check_document(revision.document))
        for revision in (before, after)
    ]
    assert errors[1] <= errors[0]


def _rename(document: OpenDocument, position: Any) -> None:
    try:
        prepared = rename.prepare_rename(document, position, files=True)
        assert_inside(document, prepared)
        rename.rename(document, position, "renamed", [document], files=True, as_document_changes=True)
    except rename.Refused:
        return
