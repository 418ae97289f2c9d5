"""Making a base model ready to train, once for all runs on this machine.

The work is done by a child process (`peft_engine.models.convert`): it needs torch and a gigabyte, it can be cut off at
any moment, and whoever waits for it stays light.
"""

import json
import sys
from collections.abc import Callable

from peft_engine.cancelling import Cancelled
from peft_engine.models.child import follow_child
from peft_engine.models.resolve import ResolvedBase, resolve_base
from peft_schemas.errors import WorkbenchError

__all__ = ["Cancelled", "materialise"]


def materialise(
    resolved: ResolvedBase,
    progress: Callable[[str], None] = lambda _: None,
    cancelled: Callable[[], bool] = lambda: False,
    *,
    python: str = sys.executable,
) -> ResolvedBase:
    """Return the same base with its `hf_dir` set: downloaded from the hub, or converted from its GGUF file.

    Args:
        resolved: What `resolve_base` found. Returned as it is when it has a folder already.
        progress: Told what is being done, for people.
        cancelled: Asked a few times a second.
        python: An interpreter with the training extra.

    Raises:
        Cancelled: `cancelled` said so.
        WorkbenchError: The hub does not have it or is out of reach (`model-missing`), the file cannot be converted
            (`model-unreadable`), or the disk is full (`disk-full`).
    """
    if resolved.hf_dir is not None:
        return resolved
    request = json.dumps({"base": resolved.base, "revision": resolved.revision, "gguf": _text(resolved.gguf)})
    code = follow_child(
        [python, "-m", "peft_engine.models.convert", request, str(resolved.cache)],
        lambda message: progress(message["progress"]),
        cancelled,
    )
    if code != 0:
        raise WorkbenchError(
            "model-unreadable",
            f"Preparing {resolved.base} ended unexpectedly (exit code {code}).",
            "Look at worker.log in the run's directory; the machine may have run out of memory.",
        )
    return _found(resolved)


def _found(resolved: ResolvedBase) -> ResolvedBase:
    found = resolve_base(resolved.base if resolved.origin != "path" else str(resolved.gguf), resolved.revision)
    if found.hf_dir is None:
        raise WorkbenchError(
            "model-unreadable",
            f"{resolved.base} was prepared, but no model is at {resolved.cache}.",
            "Run it again; if this repeats, remove that folder.",
        )
    return found


def _text(path: object) -> str | None:
    return None if path is None else str(path)
