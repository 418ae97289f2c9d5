"""Packs the distributions that an extra-less `peft-workbench` needs, as they are installed here, into wheels again.

The test of the managed environment installs from them, so it needs no package index.
Usage: python wheelhouse.py TARGET
"""

import sys
import zipfile
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement

NOT_IN_WHEELS = {"INSTALLER", "REQUESTED", "direct_url.json"}


def closure(name: str, seen: dict[str, Distribution]) -> None:
    """Collect a distribution and all that it requires without extras."""
    if name in seen:
        return
    seen[name] = distribution(name)
    for text in seen[name].requires or []:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            closure(requirement.name.lower().replace("_", "-"), seen)


def pack(dist: Distribution, target: Path) -> None:
    """Write one wheel."""
    tags = [line[5:].split("-") for line in (dist.read_text("WHEEL") or "").splitlines() if line.startswith("Tag: ")]
    # A wheel of several tags names them part by part: `py2.py3-none-any`.
    tag = "-".join(".".join(dict.fromkeys(part)) for part in zip(*tags, strict=True))
    name = dist.metadata["Name"].replace("-", "_")
    with zipfile.ZipFile(target / f"{name}-{dist.version}-{tag}.whl", "w") as wheel:
        for file in dist.files or []:
            inside = ".." not in file.parts and "__pycache__" not in file.parts and file.name not in NOT_IN_WHEELS
            if inside and Path(dist.locate_file(file)).is_file():
                wheel.write(dist.locate_file(file), str(file))


def main() -> None:
    """Pack all but the project itself."""
    target = Path(sys.argv[1])
    needed: dict[str, Distribution] = {}
    closure("peft-workbench", needed)
    del needed["peft-workbench"]
    for dist in needed.values():
        pack(dist, target)


main()
