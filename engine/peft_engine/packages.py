"""Which versions of packages an interpreter has. Run as a module it tells of its own, as JSON."""

import json
import subprocess
import sys
from collections.abc import Iterable
from importlib import metadata

_PATIENCE = 60.0
"""Seconds for another interpreter to start on a loaded machine."""


def versions(names: Iterable[str], python: str = sys.executable) -> dict[str, str | None]:
    """Return the installed version of each package, None for one that is not there.

    Args:
        names: Distribution names.
        python: The interpreter to look in. Nothing is there where it cannot be started.
    """
    if python == sys.executable:
        return {name: _version(name) for name in names}
    wanted = list(names)
    try:
        answer = subprocess.run(
            [python, "-m", "peft_engine.packages", *wanted],
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=True,
        )
        found: dict[str, str | None] = json.loads(answer.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return dict.fromkeys(wanted)
    return found


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


if __name__ == "__main__":
    sys.stdout.write(json.dumps(versions(sys.argv[1:])))
