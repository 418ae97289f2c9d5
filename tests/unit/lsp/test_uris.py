"""File URIs and paths."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peft_daemon.lsp.uris import to_path


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///a/b%20c.peft.yaml", "/a/b c.peft.yaml"),
        ("file:///a/%C3%A9#1?.yaml", "/a/é#1?.yaml"),
        ("file://localhost/a", "/a"),
        ("file://server/share/a", "//server/share/a"),
        ("untitled:Untitled-1", None),
        ("vscode-vfs://github/a", None),
        ("http://[", None),
        ("", None),
    ],
)
def test_a_uri_names_a_file_or_none(uri: str, path: str | None) -> None:
    assert to_path(uri) == (None if path is None else Path(path))


@given(st.lists(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1), min_size=1))
def test_a_path_comes_back_from_its_uri(parts: list[str]) -> None:
    path = Path("/", *parts)
    assert to_path(path.as_uri()) == path
