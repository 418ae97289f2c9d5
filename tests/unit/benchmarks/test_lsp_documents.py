"""What the benchmark types: valid configs of the length that it says, and keys that come and go without a trace."""

from pathlib import Path

import pytest
from benchmarks.lsp.documents import FILE, keystrokes, places, write_document

from peft_daemon.language.check import check_file, check_text
from peft_daemon.language.convert import range_from_lsp
from peft_engine.config.text import SourceText


@pytest.mark.parametrize("lines", [100, 200, 1003])
def test_a_document_is_valid_has_its_length_and_names_files_that_exist(tmp_path: Path, lines: int) -> None:
    text = write_document(tmp_path, lines)
    assert text.count("\n") == lines
    codes = {finding.code for finding in check_file(tmp_path / FILE).findings if finding.severity == "error"}
    assert codes == set()


def test_every_keystroke_is_one_and_what_was_typed_is_taken_back(tmp_path: Path) -> None:
    text = write_document(tmp_path, 100)
    for place in places(text):
        source, seen = SourceText(text), []
        for change in keystrokes(place):
            source = source.replace(range_from_lsp(change["range"]), change["text"])
            seen.append(source.text)
        assert source.text == text
        typed = max(seen, key=len)
        assert typed.splitlines()[place.line] == place.typed
        assert not [finding for finding in check_text(typed) if finding.severity == "error"]
        assert any(check_text(state) for state in seen)
