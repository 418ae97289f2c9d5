"""From whatever was raised to one plain sentence and a way out."""

import errno
from collections.abc import Iterator

from peft_schemas.errors import ErrorReport, WorkbenchError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FULL_TEXTS = (
    "No space left on device",
    "os error 28",
    "os error 27",
    "os error 122",
    "PytorchStreamWriter failed",
    "basic_ios::clear: iostream error",
)
"""How torch and safetensors tell of a failed write, whose errno they do not keep."""
LOST_PEER = 76
"""The exit status of a process that could not go on because another one of the run had ended."""

_MEMORY_TEXTS = ("can't allocate memory", "out of memory", "Cannot allocate memory")


def describe(error: BaseException) -> ErrorReport:
    """Return what a person is told about a failure of the worker; details are only in `worker.log`."""
    chain = list(_chain(error))
    for link in chain:
        if isinstance(link, WorkbenchError):
            return link.report()
    if any(_is_disk_full(link) for link in chain):
        return ErrorReport(
            code="disk-full",
            message="The disk is full, so the run could not write its files.",
            remedy="Free some space and resume the run; a lower `checkpoint.keep` needs less of it.",
        )
    if any(_is_out_of_memory(link) for link in chain):
        return ErrorReport(
            code="out-of-memory",
            message="The machine has not enough memory for this run.",
            remedy="Resume it when more is free, or run its config with a lower `training.batch_size` or "
            "`training.max_length`, or with `training.gradient_checkpointing`.",
        )
    if is_lost_peer(error):
        return ErrorReport(
            code="worker-killed",
            message="Another one of the processes that train this run together ended, or does not answer any more.",
            remedy="Look at what the launcher says of it, on each machine.",
        )
    return ErrorReport(
        code="internal",
        message=f"The worker stopped on an unexpected {type(error).__name__}.",
        remedy="Look at worker.log in the run's directory, and report it if it is not your doing.",
    )


def is_lost_peer(error: BaseException) -> bool:
    """Tell whether an error says that another process of the run is gone, and so has its cause elsewhere."""
    # Gloo's errors have no type of their own, and torch is not loaded here.
    return any(
        "DistError" in {kind.__name__ for kind in type(link).__mro__}
        or (isinstance(link, RuntimeError) and "/gloo/" in str(link))
        for link in _chain(error)
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_disk_full(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.errno in _FULL:
        return True
    return any(text in str(error) for text in _FULL_TEXTS)


def _is_out_of_memory(error: BaseException) -> bool:
    # torch raises a plain RuntimeError when the CPU's allocator fails.
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, (RuntimeError, OSError)) and any(text in str(error) for text in _MEMORY_TEXTS)
