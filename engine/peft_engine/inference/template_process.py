"""A chat template's prison: the child process that renders, killed when it takes too long or too much."""

import json
import os
import select
import subprocess
import sys
import time

from peft_engine.inference.template import MAX_CHARACTERS, TemplateRefused, TemplateRequest, to_line

_LIMIT = 10.0
"""Seconds for one rendering, which normally takes a millisecond; a loaded machine starts the child in two."""

_MAX_ANSWER = 8 * MAX_CHARACTERS
"""Bytes of one answer: JSON writes a character with at most twelve."""


class TemplateProcess:
    """Renders prompts in a child that lives as long as it behaves. Used by one thread at a time."""

    def __init__(self, *, limit: float = _LIMIT) -> None:
        """Prepare; the child is started by the first rendering or by `start`.

        Args:
            limit: Seconds that one rendering may take.
        """
        self._limit = limit
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> "subprocess.Popen[bytes]":
        """Start the child unless it runs, so that the first rendering does not wait for it."""
        if self._child is None or self._child.poll() is not None:
            # -P keeps the working directory out of the module path. The child ends when its stdin does.
            self._child = subprocess.Popen(
                [sys.executable, "-P", "-m", "peft_engine.inference.template"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
            )
        return self._child

    def render(self, request: TemplateRequest) -> str:
        """Return the prompt.

        Raises:
            TemplateRefused: The template is faulty, refuses the conversation, or went beyond its limits.
        """
        try:
            answer = json.loads(self._ask(self.start(), to_line(request)))
        except (OSError, EOFError, TimeoutError, ValueError) as error:
            self.close()
            raise TemplateRefused("it takes too long or needs too much memory") from error
        if "refused" in answer:
            raise TemplateRefused(answer["refused"])
        return str(answer["text"])

    def close(self) -> None:
        """End the child, whatever it is doing."""
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None

    def _ask(self, child: "subprocess.Popen[bytes]", line: bytes) -> bytes:
        """Send a line and return the line that comes back. Both pipes are watched: a full one must not block us."""
        if child.stdin is None or child.stdout is None:
            raise EOFError
        source, target = child.stdout.fileno(), child.stdin.fileno()
        os.set_blocking(target, False)
        deadline = time.monotonic() + self._limit
        answer = bytearray()
        rest = memoryview(line)
        while not answer.endswith(b"\n"):
            left = deadline - time.monotonic()
            readable, writable, _ = select.select([source], [target] if rest else [], [], max(left, 0))
            if left <= 0 or len(answer) > _MAX_ANSWER:
                raise TimeoutError
            if writable:
                rest = rest[os.write(target, rest) :]
            if readable:
                chunk = os.read(source, 2**20)
                if not chunk:
                    raise EOFError
                answer += chunk
        return bytes(answer)
