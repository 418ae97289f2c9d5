"""A document that is changed step by step, each step in the text that the one before it left.

Changes of several keys are made so because edits of one text may touch the same place: two keys for a section that is
not there yet, or a key put where another is deleted. What comes out is a set of edits of the text that it began with.
"""

import difflib
import re
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any

from peft_daemon.language.binding import bind
from peft_daemon.language.context import CheckContext
from peft_daemon.language.rules.subject import Subject
from peft_engine.config.document import Document, parse
from peft_engine.config.text import SourceText
from peft_schemas.findings import TextEdit

_WORDS = re.compile(r"\s+|\S+")


class NotInPlace(Exception):
    """A change cannot be made where it belongs, as when the value comes from elsewhere by an alias."""


class Revision:
    """One state of a document under change. A change makes a new one."""

    def __init__(self, document: Document, context: CheckContext) -> None:
        """Begin with a document and what is known of the world around it."""
        self.document = document
        self.context = context

    @cached_property
    def subject(self) -> Subject:
        """The document with its effective values."""
        return Subject(self.document, bind(self.document), self.context)

    def value(self, path: str) -> Any:
        """Return an effective value, None also where it cannot be known."""
        setting = self.subject.setting(path)
        return None if setting is None else setting.value

    def changed(self, edits: Sequence[TextEdit]) -> "Revision":
        """Return the document after some edits, all of which count in its present text."""
        return Revision(parse(SourceText(apply_edits(self.document.source, edits))), self.context)

    def with_value(self, path: str, value: Any) -> "Revision":
        """Return the document with a key set, itself when the key has that value already.

        Raises:
            NotInPlace: It cannot be written there.
        """
        setting = self.subject.setting(path)
        if setting is not None and setting.value == value:
            return self
        edit = self.subject.set_edit(path, value)
        if edit is None:
            raise NotInPlace(path)
        return self.changed([edit])

    def without(self, path: str) -> "Revision":
        """Return the document without a key, itself when the key is not written.

        Raises:
            NotInPlace: It cannot be taken out there.
        """
        if self.subject.binding.at(tuple(path.split("."))) is None:
            return self
        edit = self.subject.remove_edit(path)
        if edit is None:
            raise NotInPlace(path)
        return self.changed([edit])

    def edits_from(self, original: Document) -> list[TextEdit]:
        """Return the edits that make this text of an earlier one: of whole lines, or of words where a line changes."""
        source = original.source
        before, after = _lines(source), _lines(self.document.source)
        starts = [0]
        for line in before:
            starts.append(starts[-1] + len(line))
        matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
        edits = []
        for kind, i1, i2, j1, j2 in matcher.get_opcodes():
            if kind == "replace" and i2 - i1 == j2 - j1:
                changed = zip(starts[i1:i2], before[i1:i2], after[j1:j2], strict=True)
                edits += [_of_words(source, *line) for line in changed]
            elif kind != "equal":
                edits.append(TextEdit(range=source.range(starts[i1], starts[i2]), newText="".join(after[j1:j2])))
        return edits


def apply_edits(source: SourceText, edits: Sequence[TextEdit]) -> str:
    """Return a text after edits as LSP means them: every range counts in the text before, none overlap."""
    spans = [(source.offset(edit.range.start), source.offset(edit.range.end), edit.newText) for edit in edits]
    parts, behind = [], 0
    # Stable: what is inserted at one place keeps the order of the edits.
    for start, end, text in sorted(spans, key=lambda span: (span[0], span[1])):
        parts += [source.text[behind:start], text]
        behind = end
    return "".join([*parts, source.text[behind:]])


def _lines(source: SourceText) -> list[str]:
    starts = [source.line_start(line) for line in range(source.line_count)] + [len(source)]
    return [source.text[start:end] for start, end in pairwise(starts)]


def _of_words(source: SourceText, start: int, before: str, after: str) -> TextEdit:
    """Return the edit of one line, from its first word that changes to its last: so it reads in an editor's preview."""
    old, new = _WORDS.findall(before), _WORDS.findall(after)
    head = _alike(old, new)
    tail = _alike(old[head:][::-1], new[head:][::-1])
    begin, end = len("".join(old[:head])), len("".join(old[: len(old) - tail]))
    return TextEdit(range=source.range(start + begin, start + end), newText="".join(new[head : len(new) - tail]))


def _alike(one: list[str], other: list[str]) -> int:
    """Return how many words two lists begin with alike."""
    shorter = min(len(one), len(other))
    return next((at for at in range(shorter) if one[at] != other[at]), shorter)
