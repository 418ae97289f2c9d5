"""Finding and stopping the inference process of this user."""

import signal
import time
from functools import cache

import httpx

from peft_engine.serve_lock import serve_owner
from peft_engine.serve_record import ServeRecord, read_serve_record, remove_serve_record
from peft_schemas.errors import ErrorReport
from peft_schemas.serving import ServeStatus

_ANSWER = 5.0
"""Seconds in which a living process answers even on a loaded machine."""

_LEAVE = 20.0
"""Seconds that a process gets to leave by itself: it finishes the step it computes and unloads the model."""

KILLED = ErrorReport(
    code="serve-failed",
    message="The inference process ended without a word.",
    remedy="Start it again; the end of its log may say why.",
)


def find() -> ServeRecord | None:
    """Return where the process is reached, None when none runs. Does not ask it anything."""
    record = read_serve_record()
    return record if record is not None and record.identity.alive() else None


def ask(record: ServeRecord) -> ServeStatus | None:
    """Ask the process how it is; None when it does not answer."""
    try:
        answer = _client().get(f"{record.root}/models/status", headers=authorization(record)).raise_for_status()
        return ServeStatus.model_validate_json(answer.content)
    except (httpx.HTTPError, ValueError):
        return None


def authorization(record: ServeRecord) -> dict[str, str]:
    """Return the header that every request carries."""
    return {"Authorization": f"Bearer {record.token}"}


def status() -> ServeStatus:
    """Describe the process, starting nothing."""
    record = find()
    if record is None:
        return ServeStatus(state="stopped" if serve_owner() is None else "starting")
    return ask(record) or ServeStatus(state="starting", pid=record.pid, port=record.port)


def left_without_a_word() -> ServeRecord | None:
    """Return the record of a process that was killed, or crashed: whoever leaves by itself takes its record away."""
    record = read_serve_record()
    return record if record is not None and not record.identity.alive() else None


def stop() -> bool:
    """Make the process leave and wait until it has; tell whether there was one."""
    owner = serve_owner()
    if owner is None:
        _forget_the_dead()
        return False
    for number, patience in ((signal.SIGTERM, _LEAVE), (signal.SIGKILL, _ANSWER)):
        owner.signal(number)
        deadline = time.monotonic() + patience
        while owner.alive() and time.monotonic() < deadline:
            time.sleep(0.05)
        if not owner.alive():
            break
    _forget_the_dead()
    return True


def _forget_the_dead() -> None:
    """Who is told to leave and has to be killed for it did not end without a word."""
    if (record := left_without_a_word()) is not None:
        remove_serve_record(record.identity)


@cache
def _client() -> httpx.Client:
    """Return the client for short questions. Making one reads all certificates, which takes longer than a question."""
    # trust_env would send a loopback request, and its token, to a proxy.
    return httpx.Client(timeout=_ANSWER, trust_env=False)
