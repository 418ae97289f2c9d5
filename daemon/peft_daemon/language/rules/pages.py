"""Where the reference pages of the findings lie on this machine."""

from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).parents[2]
_FOLDERS = (_PACKAGE / "reference" / "findings", _PACKAGE.parents[1] / "docs" / "reference" / "findings")
"""In an installed wheel, and in a checkout."""


@cache
def page_of(code: str) -> Path | None:
    """Return the page of a finding's code, None when this installation has none."""
    pages = (folder / f"{code}.md" for folder in _FOLDERS)
    return next((page for page in pages if page.is_file()), None)
