"""Brings up real workers in milliseconds: `python -m tests.integration.training.nursery FIFO`.

It loads the training libraries once, reads from the FIFO the state folder and the run directory of each worker, and
forks.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from tests.integration.training.crashes import PRELOADED, train

_SCRIPT = """\
#!/bin/sh
if [ "$2" = peft_engine.training ]; then echo "$PEFTW_HOME $3" > {fifo}; else exec {python} "$@"; fi
"""


@contextmanager
def nursery(folder: Path) -> Iterator[Path]:
    """Yield what stands in the place of the interpreter that trains: workers are forked, all else is Python's."""
    fifo, python = folder / "fifo", folder / "python"
    os.mkfifo(fifo)
    python.write_text(_SCRIPT.format(fifo=fifo, python=sys.executable))
    python.chmod(0o755)
    command = [sys.executable, "-m", "tests.integration.training.nursery", str(fifo)]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[3])
    yield python
    process.kill()
    process.wait()


def _bring_up(home: str, path: str) -> None:
    if os.fork():
        os.wait()
    elif os.fork():
        os._exit(0)
    else:
        train(path, home)


def main(fifo: str) -> None:
    """Serve until killed."""
    for name in PRELOADED:
        import_module(name)
    while True:
        with Path(fifo).open() as requests:
            for line in requests:
                _bring_up(*line.split())


if __name__ == "__main__":
    main(sys.argv[1])
