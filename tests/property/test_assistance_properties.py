"""What helps to write never fails, whatever the text, and what it offers keeps the text readable."""

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from peft_daemon.language.context import NOTHING_KNOWN
from peft_daemon.language.features.code_lens import lenses
from peft_daemon.language.features.completion import complete
from peft_daemon.language.features.hover import hover
from peft_daemon.language.features.inlay_hints import hints
from peft_daemon.language.refactoring.offer import Conflict
from peft_daemon.language.refactoring.offers import offered
from peft_daemon.language.revision import NotInPlace, Revision, apply_edits
from peft_engine.config.document import parse
from peft_engine.config.text import SourceText
from peft_schemas.findings import Position, Range, TextEdit
from tests.property.strategies import configs, damaged, examples, texts, to_yaml


def revision(text: str) -> Revision:
    return Revision(parse(SourceText(text)), NOTHING_KNOWN)


@examples(100)
@given(texts())
def test_A14_lenses_and_hints_of_any_text_lie_in_it(text: str) -> None:
    subject = revision(text).subject
    assert len(lenses("untitled:x", subject)) == 4
    for hint in hints(subject):
        assert 0 <= hint["position"]["line"] < subject.document.source.line_count


@examples(100)
@given(damaged(), st.integers(0, 20))
def test_A13_refactorings_of_a_damaged_text_are_made_or_refused(text: str, line: int) -> None:
    for offer in offered(revision(text), line):
        with suppress(NotInPlace, Conflict):
            offer.change()


@examples(100)
@given(texts(), st.integers(0, 200), st.booleans())
def test_A11_completion_and_hover_answer_anywhere_in_any_text(text: str, offset: int, snippets: bool) -> None:
    subject = revision(text).subject
    place = min(offset, len(subject.document.source))
    complete(subject, place, snippets=snippets, file=None)
    hover(subject, place)


@examples(80)
@given(configs(), st.integers(0, 1000), st.sampled_from([0, 2, 4]), st.integers(0, 100))
def test_A11_whatever_is_offered_on_a_new_line_keeps_the_file_parseable(
    config: dict, at: int, indent: int, choice: int
) -> None:
    lines = to_yaml(config).splitlines(keepends=True)
    line = at % (len(lines) + 1)
    known = revision("".join([*lines[:line], " " * indent + "\n", *lines[line:]]))
    source = known.document.source
    offered_here = complete(known.subject, source.line_start(line) + indent, snippets=False, file=None)
    if known.document.is_sound and offered_here:
        edit = offered_here[choice % len(offered_here)]["textEdit"]
        range_ = Range(start=Position(**edit["range"]["start"]), end=Position(**edit["range"]["end"]))
        after = apply_edits(source, [TextEdit(range=range_, newText=edit["newText"])])
        assert not [problem.message for problem in parse(SourceText(after)).problems], after
