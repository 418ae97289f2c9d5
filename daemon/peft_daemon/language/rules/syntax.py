"""Family `syntax`: what keeps a text from being one YAML document. The parser finds these; the rules name them."""

from collections.abc import Iterator

from peft_daemon.language.rules.indents import realign
from peft_daemon.language.rules.loose import mend
from peft_daemon.language.rules.registry import Rule, replace, rule
from peft_daemon.language.rules.secrets import masked
from peft_daemon.language.rules.subject import Subject
from peft_daemon.language.rules.values import shorten
from peft_engine.config.document import Document, parse
from peft_engine.config.problems import ProblemKind
from peft_engine.config.text import SourceText
from peft_schemas.findings import Finding, Fix, TextEdit

_FAMILY = "syntax"
_TAB_WIDTH = 2
_MOST_REALIGNED = 2
"""Lines in one text for which the right indentation is sought: each try reads a part of the text again."""


def _named(subject: Subject, this: Rule, kind: ProblemKind) -> Iterator[Finding]:
    document = subject.document
    for problem in document.problems:
        if problem.kind == kind:
            yield this.at(masked(problem.message), document.source.range(problem.start, problem.end))


@rule(
    "PW001",
    "error",
    _FAMILY,
    "The text is not valid YAML here.",
    why="A text that is not YAML has no values, so nothing in the lines that it spoils can be read.",
    advice="Correct the line; quote a value that holds `: `, `#`, `@` or a backtick.",
    example="name: a: b\n",
    judges="problems",
)
def invalid_yaml(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find faults of the YAML itself."""
    yield from _named(subject, this, "syntax")
    for index, finding in enumerate(_named(subject, this, "indent")):
        fix = realign(subject.document, finding.range.start.line) if index < _MOST_REALIGNED else None
        yield finding if fix is None else finding.model_copy(update={"fixes": [fix]})


@rule(
    "PW002",
    "error",
    _FAMILY,
    "A key has no colon.",
    why="Without the colon YAML takes the line for a part of the value above it, or for no key at all.",
    advice="Write `key: value`.",
    example="version: 1\nmodel:\n  base: gpt2\n  dtype\n",
    judges="problems",
)
def no_colon(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find lines that are neither `key: value` nor a list entry, as while a key is typed."""
    source = subject.document.source
    for finding in _named(subject, this, "incomplete"):
        start, end = source.offset(finding.range.start), source.offset(finding.range.end)
        meant = mend(source.text[start:end])
        if meant is None:
            yield finding
        else:
            fix = replace(f"Write `{shorten(meant.text)}`", finding.range, meant.text)
            yield this.at(meant.message, finding.range, fixes=[fix])


@rule(
    "PW003",
    "error",
    _FAMILY,
    "A line is indented with a tab.",
    why="YAML counts spaces; how wide a tab is would differ from editor to editor, so YAML forbids it.",
    advice="Indent with spaces. The fix replaces every tab of an indentation by two spaces.",
    example="version: 1\nmodel:\n\tbase: gpt2\ndatasets:\n  - path: org/data\n",
    judges="problems",
)
def tab_indent(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find tabs where YAML counts spaces."""
    document = subject.document
    fixes: list[Fix] | None = None
    for problem in document.problems:
        if problem.kind == "tab":
            fixes = _without_tabs(document) if fixes is None else fixes
            yield this.at(problem.message, document.source.range(problem.start, problem.end), fixes=fixes)


@rule(
    "PW004",
    "error",
    _FAMILY,
    "A merge conflict is not resolved.",
    why="Both sides of the conflict stand in the file, and no program can tell which one you want.",
    advice="Keep one side and delete the marker lines.",
    example="<<<<<<< HEAD\nversion: 1\n=======\nversion: 1\n>>>>>>> other\n",
    judges="problems",
)
def merge_conflict(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find the markers that a version control system leaves."""
    return _named(subject, this, "conflict")


@rule(
    "PW005",
    "error",
    _FAMILY,
    "An alias refers to no anchor.",
    why="An alias stands for the value that its anchor marks; without the anchor it stands for nothing.",
    advice="Define `&name` above the first `*name`, or correct the name.",
    example="version: 1\nname: *missing\n",
    judges="problems",
)
def undefined_alias(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find aliases whose anchor does not stand before them."""
    return _named(subject, this, "alias")


@rule(
    "PW006",
    "error",
    _FAMILY,
    "A tag has no meaning in a config.",
    why="Another program's tag changes what a value means, or even runs code; a config is only values.",
    advice="Remove the tag. Only the tags of YAML's core schema, such as `!!str`, are known.",
    example="version: 1\nname: !custom x\n",
    judges="problems",
)
def unknown_tag(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find tags outside the core schema."""
    return _named(subject, this, "tag")


@rule(
    "PW007",
    "error",
    _FAMILY,
    "A merge key has no mapping to merge.",
    why="A merge key copies the keys of a mapping; from anything else there are no keys to copy.",
    advice="Write `<<: *name`, where `&name` marks a mapping, or a mapping in place, as in `<<: {seed: 1}`.",
    example="version: 1\ntraining:\n  <<: 3\n  seed: 1\n",
    judges="problems",
)
def bad_merge(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find merge keys that cannot be followed."""
    return _named(subject, this, "merge")


@rule(
    "PW008",
    "error",
    _FAMILY,
    "A character cannot stand in YAML.",
    why="YAML forbids control characters, and programs differ in what they do with them.",
    advice="Delete it, or save the file as UTF-8.",
    example="version: 1\nname: a\u0000b\nmodel:\n  base: gpt2\ndatasets:\n  - path: org/data\n",
    judges="problems",
)
def control_character(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find control characters and bytes that are not UTF-8."""
    for finding in _named(subject, this, "control"):
        yield finding.model_copy(update={"fixes": [replace("Delete it", finding.range, "")]})


@rule(
    "PW009",
    "error",
    _FAMILY,
    "The file holds more than one YAML document.",
    why="Only one of the documents could be the run, and which one would be a guess.",
    advice="Keep one config a file.",
    example="version: 1\n---\nversion: 1\n",
    judges="problems",
)
def several_documents(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find further documents, which no command reads."""
    return _named(subject, this, "documents")


@rule(
    "PW010",
    "error",
    _FAMILY,
    "The file is too large or too deeply nested to be a config.",
    why="Texts made to be huge or endlessly nested would stop the editor; no config comes near these limits.",
    advice="Check that this is the file that you meant.",
    example="[" * 70 + "]" * 70,
    judges="problems",
)
def beyond_limits(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find files that are not read at all."""
    return _named(subject, this, "limit")


@rule(
    "PW011",
    "error",
    _FAMILY,
    "A space is not one that YAML counts.",
    why="A no-break space looks like a space and is a letter to YAML: the key begins with it, or stands a level higher "
    "than it seems to. Such characters come along when a config is copied from a web page or a chat.",
    advice="Replace it by a plain space, as the fix does.",
    example="version: 1\nmodel:\n\u00a0\u00a0base: gpt2\ndatasets:\n  - path: org/data\n",
    source="YAML 1.2, section 5.5",
    judges="problems",
)
def odd_space(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find no-break and other typesetters' spaces in an indentation, and around a key's colon."""
    for finding in _named(subject, this, "space"):
        length = finding.range.end.character - finding.range.start.character
        fixes = [replace("Write plain spaces", finding.range, " " * length)]
        yield finding.model_copy(update={"fixes": fixes})


def _without_tabs(document: Document) -> list[Fix]:
    """Return the fix of all tabbed lines together: one line alone would no longer stand with its neighbours."""
    source = document.source
    edits = []
    text = source.text
    for problem in reversed([problem for problem in document.problems if problem.kind == "tab"]):
        spaces = text[problem.start : problem.end].replace("\t", " " * _TAB_WIDTH)
        edits.append(TextEdit(range=source.range(problem.start, problem.end), newText=spaces))
        text = text[: problem.start] + spaces + text[problem.end :]
    repaired = parse(SourceText(text))
    before = {problem.kind for problem in document.problems if problem.kind != "tab"}
    if {problem.kind for problem in repaired.problems} - before:
        return []
    return [Fix(title="Indent with spaces instead of tabs", edits=edits[::-1])]
