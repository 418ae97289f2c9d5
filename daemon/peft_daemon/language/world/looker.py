"""The child process that looks at models and datasets, as this process asks it."""

import select
import subprocess
import sys
import threading
import time
from collections import deque
from functools import cache
from typing import IO

from pydantic import TypeAdapter, ValidationError

from peft_engine.look import Answer, Question

_PATIENCE = 60.0
"""Seconds in which a question must be answered."""

_CHUNK = 2**16


class Looker:
    """Asks one question at a time. The child is started when there is a question, and leaves by itself."""

    def __init__(self, python: str) -> None:
        """Ask nothing yet.

        Args:
            python: The interpreter that trains. Where it cannot run the child, this process's own does.
        """
        self._interpreters = deque(dict.fromkeys((python, sys.executable)))
        self._child: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def ask(self, question: Question) -> Answer | None:
        """Return the answer, None when there is none: the child cannot be run, crashed, or took too long."""
        line = _question_type().dump_json(question) + b"\n"
        with self._lock:
            # A child that is there may have left just now, so a fresh one gets the question once more.
            if self._child is not None and (answer := self._exchange(self._child, line)) is not None:
                return answer
            while True:
                answer = self._ask_fresh(line)
                if answer is not None or len(self._interpreters) == 1:
                    return answer
                self._interpreters.popleft()

    def _ask_fresh(self, line: bytes) -> Answer | None:
        # -P: a folder of the user's that is called like one of our packages must not be imported.
        command = [self._interpreters[0], "-P", "-m", "peft_engine.look"]
        try:
            child = self._child = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
            )
        except OSError:
            return None
        return self._exchange(child, line)

    def _exchange(self, child: "subprocess.Popen[bytes]", line: bytes) -> Answer | None:
        assert child.stdin is not None  # noqa: S101  (it was asked for)
        assert child.stdout is not None  # noqa: S101
        try:
            child.stdin.write(line)
            return _answer_type().validate_json(_read_line(child.stdout))
        except (OSError, ValidationError):
            self._child = None
            child.kill()
            child.communicate()
            return None


def _read_line(stream: IO[bytes]) -> bytes:
    """Read a line, or what came of it in time."""
    received = bytearray()
    deadline = time.monotonic() + _PATIENCE
    while not received.endswith(b"\n"):
        ready, _, _ = select.select([stream], [], [], max(0.0, deadline - time.monotonic()))
        chunk = stream.read(_CHUNK) if ready else b""
        if not chunk:
            break
        received += chunk
    return bytes(received)


@cache
def _question_type() -> TypeAdapter[Question]:
    return TypeAdapter(Question)


@cache
def _answer_type() -> TypeAdapter[Answer]:
    return TypeAdapter(Answer)
