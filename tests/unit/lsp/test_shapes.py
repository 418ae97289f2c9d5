"""Params of another shape than LSP's are named, and params of its shape pass."""

from typing import Literal

import pytest

from peft_daemon.lsp.params import PARAMS
from peft_daemon.lsp.shapes import misfit

DOCUMENT = {"uri": "file:///x"}
POSITION = {"line": 0, "character": 0}
HOVER = {"textDocument": DOCUMENT, "position": POSITION}


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("textDocument/hover", HOVER),
        ("textDocument/hover", {**HOVER, "workDoneToken": 1, "somethingNew": {"a": 1}}),
        ("textDocument/diagnostic", {"textDocument": DOCUMENT}),
        ("initialize", {"processId": None, "capabilities": {}, "workspaceFolders": None}),
        ("textDocument/didChange", {"textDocument": {**DOCUMENT, "version": 1}, "contentChanges": [{"text": ""}]}),
        ("completionItem/resolve", {"label": "x", "kind": 99}),
    ],
)
def test_what_editors_send_passes(method: str, params: object) -> None:
    assert misfit(params, PARAMS[method]) is None


@pytest.mark.parametrize(
    ("method", "params", "problem"),
    [
        ("textDocument/hover", None, "params: expected an object"),
        ("textDocument/hover", [], "params: expected an object"),
        ("textDocument/hover", {"textDocument": DOCUMENT}, "position: is missing"),
        ("textDocument/hover", {**HOVER, "position": {"line": "0", "character": 0}}, "position.line: expected"),
        (
            "textDocument/hover",
            {**HOVER, "position": {"line": True, "character": 0}},
            "position.line: expected a whole",
        ),
        ("textDocument/hover", {**HOVER, "textDocument": {"uri": None}}, "textDocument.uri: expected a text"),
        (
            "textDocument/selectionRange",
            {"textDocument": DOCUMENT, "positions": [POSITION, 3]},
            "positions[1]: expected",
        ),
        ("$/cancelRequest", {"id": []}, "id: expected a whole number or a text"),
        ("initialize", {"processId": None, "capabilities": []}, "capabilities: expected an object"),
        ("textDocument/codeAction", {**HOVER, "range": {}, "context": {}}, "range.start: is missing"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(method: str, params: object, problem: str) -> None:
    assert (misfit(params, PARAMS[method]) or "").startswith(problem)


def test_listed_values_and_tables_are_looked_at_too() -> None:
    assert misfit("off", Literal["off", "on"]) is None
    assert misfit("loud", Literal["off", "on"]) == "params: expected 'off' or 'on'"
    assert misfit({"a": 1}, dict[str, int]) is None
    assert misfit({"a": "1"}, dict[str, int]) == "params: expected an object"
