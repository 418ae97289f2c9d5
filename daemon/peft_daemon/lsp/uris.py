"""File URIs, as editors write them."""

import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

_DRIVE = re.compile(r"/[A-Za-z]:")


def to_path(uri: str) -> Path | None:
    """Return the file that a URI names, None when it names none, as `untitled:` does not."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return None
    if parts.scheme != "file":
        return None
    # A `?` or `#` that an editor left unescaped is part of the name.
    path = unquote(uri[len("file://") + len(parts.netloc) :])
    if os.name == "nt" and _DRIVE.match(path):
        path = path[1:]
    return Path(f"//{parts.netloc}{path}" if parts.netloc and parts.netloc != "localhost" else path)
