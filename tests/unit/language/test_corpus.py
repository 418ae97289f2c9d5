"""The checks on whole files: silence on good ones, and each fault of a broken one at its characters."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from peft_daemon.language.check import check_document
from peft_daemon.language.world.gather import gather
from peft_engine.config.document import parse
from peft_engine.config.read import read_source
from peft_schemas.findings import Finding, Range

CORPUS = Path(__file__).parents[2] / "corpus"
GOOD = sorted(CORPUS.glob("good/*.peft.yaml"))
BROKEN = sorted(CORPUS.glob("broken/*.peft.yaml"))
OUTSIDE = re.compile(r"[/~]|[A-Z]:")
EXPECTED = re.compile(r"expect: (PW.*)")


def findings_of(path: Path) -> list[Finding]:
    """Judge a file with its data and presets, but without what this machine happens to have outside the corpus."""
    document = parse(read_source(path))
    context = gather(document, path)
    files = {written: fact for written, fact in context.files.items() if not OUTSIDE.match(written)}
    return check_document(document, replace(context, files=files, hardware=None, model=None))


def expected(path: Path) -> list[str]:
    match = EXPECTED.search(path.read_bytes().decode("utf-8-sig"))
    return [] if match is None else match.group(1).strip().split(", ")


def shown(range_: Range) -> str:
    """Write a range as an editor shows it."""
    start, end = range_.start, range_.end
    return f"{start.line + 1}:{start.character + 1}-{end.line + 1}:{end.character + 1}"


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.name.removesuffix(".peft.yaml"))
def test_a_good_config_has_no_error_and_no_warning_that_it_does_not_expect(path: Path) -> None:
    found = [finding for finding in findings_of(path) if finding.severity in ("error", "warning")]
    assert [finding.code for finding in found] == expected(path), [finding.message for finding in found]
    assert not [finding.message for finding in found if finding.severity == "error"]


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.name.removesuffix(".peft.yaml"))
def test_A3_each_fault_of_a_broken_config_is_found_at_its_characters(path: Path) -> None:
    found = [finding for finding in findings_of(path) if finding.severity == "error"]
    assert [f"{finding.code} {shown(finding.range)}" for finding in found] == expected(path)


def test_the_corpus_is_as_large_as_it_says() -> None:
    assert len(GOOD) >= 60
    assert len(BROKEN) >= 15
