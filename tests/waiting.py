"""Waiting for something to be true, at most as long as a machine under load may need."""

import subprocess
import time
from collections.abc import Callable

PATIENCE = 300
"""Seconds to wait for what another process does; a loaded machine was ten times slower than an idle one."""

_LOOK = 0.02


def wait_until(
    condition: Callable[[], object],
    what: Callable[[], object] = lambda: "not within the time given",
    *,
    process: "subprocess.Popen[bytes] | None" = None,
) -> None:
    """Wait for something to be true.

    Args:
        condition: What has to be true.
        what: What is said when time is over.
        process: That which shall make it so, where waiting is in vain once it has ended.
    """
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert process is None or process.poll() is None, "the process ended early"
        assert time.monotonic() < deadline, what()
        time.sleep(_LOOK)
