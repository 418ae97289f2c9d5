"""From an error of the operating system to what a person is told, where nothing nearer to it knew more. Light."""

import errno

from peft_schemas.errors import ErrorReport

FULL = (errno.ENOSPC, errno.EDQUOT)


def told(error: OSError, *, retry: str = "try again") -> ErrorReport:
    """Return the sentence about a file or folder that could not be used.

    Args:
        error: What was raised.
        retry: What to do once the cause is gone.
    """
    if error.errno in FULL:
        return ErrorReport(
            code="disk-full",
            message="The disk is full, so nothing could be written.",
            remedy=f"Free some space, and {retry}.",
        )
    reason = error.strerror or type(error).__name__
    # Paths alone: the number of a descriptor, or of an address, says nothing to anybody.
    where = f"{error.filename}: " if isinstance(error.filename, str) else ""
    return ErrorReport(
        code="internal",
        message=f"A file could not be used: {where}{reason}.",
        remedy=f"See that the path exists and that you may use it, and {retry}; `--debug` shows more.",
    )
