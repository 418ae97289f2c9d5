"""What libyaml says of a broken text, in plain words and at the place where a person would look."""

import re
from dataclasses import dataclass

from peft_engine.config.problems import Problem, ProblemKind

_CANNOT_START = "found character that cannot start any token"
_NO_COLON = "could not find expected ':'"
_VALUES_NOT_ALLOWED = "mapping values are not allowed in this context"
_MISPLACED = ("did not find expected key", "did not find expected '-' indicator")
_PAIR = re.compile(r":(?:\s|$)")
_LOOSE_DASH = re.compile(r"\s*(?:-(?=\w)|--+ *|[\u2010-\u2015\u2022*+]+ *)[\w-]+:(?:\s|$)")
"""A list's entry whose dash has no space behind it, or is none."""


@dataclass(frozen=True)
class Fault:
    """The first fault of a text and the lines that it spoils."""

    problem: Problem
    first: int
    """An offset in the first line that it spoils."""

    last: int
    """An offset in the last such line; lines indented further than the first hang on it as well."""

    with_siblings: bool = False
    """Whether lines of the same indentation that follow are spoilt too, as when a whole block is indented wrongly."""


def first_fault(text: str) -> Fault | None:
    """Return the first fault of a text, None when libyaml finds none."""
    # Only a broken text needs libyaml, whose import takes longer than most texts to parse.
    import yaml

    # libyaml does not count a byte order mark.
    mark = len(text) - len(text.removeprefix("\ufeff"))
    try:
        for _ in yaml.parse(text[mark:], Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            pass
    except yaml.MarkedYAMLError as error:
        problem = error.problem_mark.index + mark if error.problem_mark is not None else 0
        context = error.context_mark.index + mark if error.context_mark is not None else None
        at = min(problem, len(text))
        since = at if context is None else min(context, len(text))
        return _Reading(text, at, since).fault(error.problem or "", error.context or "")
    except (yaml.YAMLError, ValueError) as error:
        sentence = str(error).splitlines()[0]
        return Fault(Problem("syntax", f"This is not valid YAML: {sentence}.", 0, _line_end(text, 0)), 0, 0)
    return None


@dataclass(frozen=True)
class _Reading:
    text: str
    at: int
    """Where libyaml gave up."""

    since: int
    """Where that began which it was reading."""

    def fault(self, problem: str, context: str) -> Fault:
        if problem == _NO_COLON:
            return self._without_colon()
        if "quoted scalar" in context and "end of stream" in problem:
            return self._unclosed(self.since, "This quoted text has no closing quote.")
        if context.startswith("while parsing a flow"):
            return self._in_brackets()
        if problem == _VALUES_NOT_ALLOWED:
            return self._unexpected_colon()
        if problem in _MISPLACED:
            return self._misplaced(problem)
        if problem == _CANNOT_START:
            return self._bad_start()
        start = min(self.at, max(len(self.text.rstrip()) - 1, 0))
        return self._on_line(f"This is not valid YAML: {problem}.", start, self._word_end(start))

    def _without_colon(self) -> Fault:
        start, end = self.since, _line_end(self.text, self.since)
        written = self.text[start:end].split(" #")[0].rstrip()
        message = f"A colon and a value are missing after `{_short(written)}`."
        return self._on_line(message, start, start + len(written), kind="incomplete")

    def _unclosed(self, start: int, message: str) -> Fault:
        return self._on_line(message, start, len(self.text[: _line_end(self.text, start)].rstrip()))

    def _in_brackets(self) -> Fault:
        opening = self.since if self.text[self.since : self.since + 1] in ("[", "{") else _last_open(self.text, self.at)
        if opening is None:
            return self._on_line("A value is missing here.", self.at, self._word_end(self.at))
        bracket = self.text[opening]
        same_line = _line_end(self.text, opening) == _line_end(self.text, self.at)
        if not same_line or not self.text[self.at :].strip():
            return self._unclosed(opening, f"The bracket `{bracket}` is not closed.")
        if opening != self.since:
            return self._on_line("A value is missing here.", self.at, self._word_end(self.at))
        closing = "]" if bracket == "[" else "}"
        return self._on_line(f"A comma or `{closing}` is missing here.", self.at, self._word_end(self.at))

    def _unexpected_colon(self) -> Fault:
        before = self.text[_line_start(self.text, self.at) : self.at]
        if re.search(r"[^\s-].*:\s", before):
            message = "A value with a colon in it must stand in quotes."
            return self._on_line(message, self.at, self.at + 1)
        start = _line_start(self.text, self.at) + len(before) - len(before.lstrip())
        if (above := self._loose_line(start)) is not None:
            return above
        message = "This line is indented further than the line above allows."
        return self._on_line(message, start, self.at, kind="indent", with_siblings=True)

    def _loose_line(self, start: int) -> Fault | None:
        """Return the fault of the line above, where YAML took that for a text and it stands in the place of a key."""
        lines = self.text[: _line_start(self.text, start)].splitlines(keepends=True)
        indent, offset = start - _line_start(self.text, start), _line_start(self.text, start)
        for line in reversed(lines):
            offset -= len(line)
            written = line.split(" #")[0].rstrip()
            if not written.lstrip() or written.lstrip().startswith("#"):
                continue
            depth = len(written) - len(written.lstrip())
            alike = depth == indent and not _PAIR.search(written)
            if alike or (depth < indent and _LOOSE_DASH.match(written)):
                message = f"A colon and a value are missing after `{_short(written.lstrip())}`."
                return self._on_line(message, offset + depth, offset + len(written), kind="incomplete")
            return None
        return None

    def _misplaced(self, problem: str) -> Fault:
        start = _line_start(self.text, self.at)
        if self.text[start : self.at].strip():
            return self._on_line("This does not belong behind the value.", self.at, self._word_end(self.at))
        if (above := self._loose_line(self.at)) is not None:
            return above
        message = "This line is not indented like the lines that it belongs to."
        if "'-'" in problem:
            message = "This line stands between list entries; entries start with `- `, and their keys are indented."
        return self._on_line(message, self.at, self._word_end(self.at), kind="indent", with_siblings=True)

    def _bad_start(self) -> Fault:
        character = self.text[self.at : self.at + 1]
        if character == "\t":
            return self._on_line("A tab cannot stand here; YAML allows only spaces.", self.at, self.at + 1, kind="tab")
        return self._on_line(f"A value cannot start with `{character}`; put it in quotes.", self.at, self.at + 1)

    def _on_line(
        self, message: str, start: int, end: int, *, kind: ProblemKind = "syntax", with_siblings: bool = False
    ) -> Fault:
        last = max(start, end - 1)
        return Fault(Problem(kind, message, start, max(end, start)), start, last, with_siblings)

    def _word_end(self, start: int) -> int:
        match = re.compile(r"[^\s:,\[\]{}]+").match(self.text, start)
        return match.end() if match else min(start + 1, _line_end(self.text, start))


def _last_open(text: str, end: int) -> int | None:
    """Return the offset of the innermost bracket that is open at an offset."""
    open_: list[int] = []
    for match in re.compile(r"[\[\]{}]").finditer(text, 0, end):
        if match.group() in "[{":
            open_.append(match.start())
        elif open_:
            open_.pop()
    return open_[-1] if open_ else None


def _line_start(text: str, offset: int) -> int:
    return max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1


def _line_end(text: str, offset: int) -> int:
    match = re.compile(r"[^\r\n]*").match(text, offset)
    return match.end() if match else len(text)


def _short(text: str, limit: int = 40) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
