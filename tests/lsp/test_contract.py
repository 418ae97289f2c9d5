"""The judge of all other tests here must be able to fail."""

import pytest
from cattrs.errors import BaseValidationError

from tests.lsp.contract import assert_is_lsp

ZERO = {"line": 0, "character": 0}
HOVER = {"contents": {"kind": "markdown", "value": "x"}}


def test_a_true_answer_passes() -> None:
    assert_is_lsp({"jsonrpc": "2.0", "id": 1, "result": HOVER}, "textDocument/hover")
    assert_is_lsp({"jsonrpc": "2.0", "id": 1, "result": None}, "textDocument/hover")


@pytest.mark.parametrize(
    ("result", "asked"),
    [
        ({**HOVER, "rnge": None, "colour": "red"}, "textDocument/hover"),
        ({**HOVER, "range": {"start": {**ZERO, "line": "1"}, "end": ZERO}}, "textDocument/hover"),
        ([{"label": "x", "text_edit": {}}], "textDocument/completion"),
        ([{"startLine": 1}], "textDocument/foldingRange"),
    ],
)
def test_an_answer_with_a_foreign_or_missing_word_fails(result: object, asked: str) -> None:
    with pytest.raises((AssertionError, BaseValidationError)):
        assert_is_lsp({"jsonrpc": "2.0", "id": 1, "result": result}, asked)


def test_a_notification_with_a_foreign_word_fails() -> None:
    params = {"uri": "file:///x", "diagnostics": [], "versoin": 1}
    with pytest.raises(AssertionError, match="versoin"):
        assert_is_lsp({"jsonrpc": "2.0", "method": "textDocument/publishDiagnostics", "params": params}, None)
