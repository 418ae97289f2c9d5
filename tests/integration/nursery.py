"""Brings up workers in milliseconds: `python -m tests.integration.nursery FIFO MODULE:FUNCTION PRELOADED…`.

It imports what workers need once, reads from the FIFO the state folder and the run directory of each worker, and forks;
the function is the worker, and is given the run directory and the state folder.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import NoReturn

_SCRIPT = """\
#!/bin/sh
if [ "$2" = peft_engine.training ]; then echo "$PEFTW_HOME $3" > {fifo}; else exec {python} "$@"; fi
"""


@contextmanager
def nursery(folder: Path, worker: str, preloaded: Sequence[str] = ()) -> Iterator[Path]:
    """Yield what stands in the place of the interpreter that trains: workers are forked, all else is Python's.

    Args:
        folder: Where to put it.
        worker: `MODULE:FUNCTION` of what a worker is.
        preloaded: Modules to import before any worker is forked.
    """
    fifo, python = folder / "fifo", folder / "python"
    os.mkfifo(fifo)
    python.write_text(_SCRIPT.format(fifo=fifo, python=sys.executable))
    python.chmod(0o755)
    command = [sys.executable, "-m", "tests.integration.nursery", str(fifo), worker, *preloaded]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[2])
    try:
        yield python
    finally:
        process.kill()
        process.wait()


def apart(body: Callable[[], int], home: str, log: Path) -> NoReturn:
    """Make of a process that was just forked one with a session, a state folder and a log of its own, and end it."""
    os.setsid()
    os.environ["PEFTW_HOME"] = home
    with log.open("ab") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    os._exit(body())


def _bring_up(worker: Callable[[str, str], None], path: str, home: str) -> None:
    """Fork twice, so that a worker that ended waits for nobody here."""
    if os.fork():
        os.wait()
    elif os.fork():
        os._exit(0)
    else:
        worker(path, home)


def main(fifo: str, worker: str, *preloaded: str) -> None:
    """Serve until killed."""
    module, _, function = worker.partition(":")
    for name in preloaded:
        import_module(name)
    live = getattr(import_module(module), function)
    while True:
        with Path(fifo).open() as requests:
            for line in requests:
                home, path = line.split()
                _bring_up(live, path, home)


if __name__ == "__main__":
    main(*sys.argv[1:])
