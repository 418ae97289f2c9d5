"""How many processor cores this process may compute with."""

import os
from pathlib import Path

import psutil


def usable_cores(root: Path = Path("/")) -> int:
    """Return the cores that can compute at once for this process, at least one.

    Hyper-threads are not counted: two threads that compute on one core are slower than one. Nor are cores that the
    process may not run on, or that its control group gives it no time on.

    Args:
        root: Where the files of the kernel are found.
    """
    limits: list[float] = [psutil.cpu_count(logical=False) or psutil.cpu_count() or 1]
    if hasattr(os, "sched_getaffinity"):
        limits.append(len(os.sched_getaffinity(0)))
    limits += _quotas(root)
    return max(1, int(min(limits)))


def _quotas(root: Path) -> list[float]:
    """Return the cores' worth of time that each control group (version 2) around this process leaves to it."""
    try:
        # One line, `0::/path`; others are of version 1.
        lines = (root / "proc/self/cgroup").read_text().splitlines()
        own = next(line.removeprefix("0::") for line in lines if line.startswith("0::"))
    except (OSError, StopIteration):
        return []
    groups = root / "sys/fs/cgroup"
    folder = groups / own.strip("/")
    found = []
    for group in (folder, *folder.parents):
        try:
            quota, period = (group / "cpu.max").read_text().split()
            found.append(int(quota) / int(period))
        except (OSError, ValueError):
            # The root has no such file, and `max` is no limit.
            pass
        if group == groups:
            break
    return found
