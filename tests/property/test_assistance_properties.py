"""What helps to write never fails, whatever the text, and what it offers keeps the text readable."""

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from peft_daemon.language.context import NOTHING_KNOWN
from peft_daemon.language.features.code_lens import lenses
from peft_daemon.language.features.inlay_hints import hints
from peft_daemon.language.refactoring.offers import offered
from peft_daemon.language.revision import NotInPlace, Revision
from peft_engine.config.document import parse
from peft_engine.config.text import SourceText
from tests.property.strategies import damaged, examples, texts


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
        with suppress(NotInPlace):
            offer.change()
