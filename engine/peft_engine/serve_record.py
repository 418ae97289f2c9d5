"""`serve.json`: who serves models to this user and how to reach it, from the inference process to its clients."""

from typing import Annotated

from pydantic import Field, ValidationError

from peft_engine.files import write_atomic
from peft_engine.home import serve_file
from peft_engine.process import ProcessIdentity
from peft_schemas.base import Word


class ServeRecord(Word):
    """The content of `serve.json`. The file exists only while the process answers."""

    pid: int
    started: float
    """The process's start time, seconds since the epoch: with the pid it identifies the process."""

    port: int
    url: str
    """The base URL of the OpenAI-compatible API, ending in `/v1`."""

    token: Annotated[str, Field(repr=False)]
    """What every request must carry as its bearer token."""

    version: str
    """The version of PEFT Workbench that serves."""

    @property
    def root(self) -> str:
        """The URL in front of `/v1`, under which health and shutdown live."""
        return self.url.removesuffix("/v1")

    @property
    def identity(self) -> ProcessIdentity:
        """The process that wrote the record."""
        return ProcessIdentity(self.pid, self.started)


def read_serve_record() -> ServeRecord | None:
    """Return the record, None when there is none or it is damaged. Its process may have died without removing it."""
    try:
        return ServeRecord.model_validate_json(serve_file().read_bytes())
    except (OSError, ValidationError):
        return None


def write_serve_record(record: ServeRecord) -> None:
    """Announce the process, readable by this user alone."""
    write_atomic(serve_file(), record.model_dump_json(indent=2) + "\n", mode=0o600)


def remove_serve_record(identity: ProcessIdentity) -> None:
    """Remove the record if it is this process's own."""
    record = read_serve_record()
    if record is not None and record.identity == identity:
        serve_file().unlink(missing_ok=True)
