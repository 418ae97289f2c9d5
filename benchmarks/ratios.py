"""What every benchmark can write down: ratios against a peer that was measured in the same run."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Ratio:
    """One figure. Smaller is better: where more is better, as with tokens a second, it is the peer's over ours."""

    name: str
    value: float
    limit: float | None = None
    """The largest value that we allow ourselves."""


def write_ratios(path: Path, ratios: Sequence[Ratio]) -> None:
    """Write figures to a file that `regression.py` reads."""
    path.write_text(json.dumps([asdict(ratio) for ratio in ratios], indent=2) + "\n", encoding="utf-8")


def read_ratios(path: Path) -> dict[str, Ratio]:
    """Return the figures of a file by name."""
    return {entry["name"]: Ratio(**entry) for entry in json.loads(path.read_text(encoding="utf-8"))}
