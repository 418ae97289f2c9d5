"""Installs programs that are clients of OpenAI's API, to try our server with: `make clients`.

They take 0.4 GB, which is why they are no dependencies: `make test` says that it skips what is not installed.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).parent
_DECLARED = ("requirements.txt", "package.json", "package-lock.json")


def folder() -> Path:
    """Return where the clients are, or would be: another place for other versions."""
    cache = Path(os.environ.get("PEFTW_CACHE") or Path.home() / ".cache/peft-workbench")
    declared = b"".join((HERE / name).read_bytes() for name in _DECLARED)
    return cache / f"clients-{hashlib.sha256(declared).hexdigest()[:12]}"


def main() -> None:
    """Install them aside, then rename: what is there is whole."""
    place = folder()
    if place.exists():
        return
    begun = place.with_suffix(".begun")
    shutil.rmtree(begun, ignore_errors=True)
    begun.mkdir(parents=True)
    for requirement in (HERE / "requirements.txt").read_text().split():
        # Each by itself: they do not agree on what they stand on.
        place_of_one = begun / requirement.partition("==")[0]
        venv.create(place_of_one, with_pip=True)
        pip = [place_of_one / "bin/python", "-m", "pip", "install", "--quiet", requirement]
        subprocess.run(pip, check=True)
    for name in _DECLARED[1:]:
        shutil.copy(HERE / name, begun)
    subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=begun, check=True)
    begun.rename(place)
    print(f"The clients are in {place}.")


if __name__ == "__main__":
    sys.exit(main())
