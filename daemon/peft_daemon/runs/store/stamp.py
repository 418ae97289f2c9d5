"""What a run directory looks like from outside, in one short text: equal stamps mean that nothing was written."""

from pathlib import Path

from peft_engine.files import stamp

_LOOKED_AT = ("", "state.json", "events.jsonl")
"""The folder itself, whose time of change tells of every file that is replaced by a rename, as all small ones are, and
the two files that are written most."""


def stamp_of(path: str | Path) -> str:
    """Return the stamp of a run directory; empty when it is no run."""
    looked = [stamp(f"{path}/{name}") for name in _LOOKED_AT]
    if looked[1] is None:
        return ""
    return " ".join("-" if one is None else f"{one[0]}:{one[1]}" for one in looked)


def log_bytes(of: str) -> int:
    """Return the size of the event log that a stamp tells of."""
    return int(of.split(" ")[2].partition(":")[0].replace("-", "0"))
