"""What stays the same from one inference process to the next, so that the settings of other programs stay right."""

import secrets
from typing import Annotated

from pydantic import Field, ValidationError

from peft_engine.files import write_atomic
from peft_engine.home import home
from peft_schemas.base import Word

_NAME = "serve-key.json"


class ServeKey(Word):
    """The content of `serve-key.json`, readable by this user alone. Delete the file to get another token."""

    token: Annotated[str, Field(repr=False, min_length=32)]
    """What every request must carry as its bearer token."""

    port: int = 0
    """Where the last process listened; 0 if there was none."""


def keep_serve_key() -> ServeKey:
    """Return the key, made if there is none or it is damaged.

    Raises:
        OSError: It cannot be written.
    """
    path = home() / _NAME
    try:
        return ServeKey.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        key = ServeKey(token=secrets.token_urlsafe(32))
        write_serve_key(key)
        return key


def write_serve_key(key: ServeKey) -> None:
    """Keep a key for the next process.

    Raises:
        OSError: It cannot be written.
    """
    write_atomic(home() / _NAME, key.model_dump_json(indent=2) + "\n", mode=0o600)
