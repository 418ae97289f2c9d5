import errno

import pytest

from peft_engine.training.failures import describe
from peft_schemas.errors import WorkbenchError


def caused_by(error, cause):
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (WorkbenchError("dataset-missing", "There is none.", "Make one."), "dataset-missing"),
        (caused_by(RuntimeError("outer"), WorkbenchError("model-missing", "m", "r")), "model-missing"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk-full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "disk-full"),
        (OSError(errno.EFBIG, "File too large"), "disk-full"),
        (RuntimeError("basic_ios::clear: iostream error"), "disk-full"),
        (
            RuntimeError("[enforce fail at inline_container.cc:664] . PytorchStreamWriter failed writing file"),
            "disk-full",
        ),
        (Exception("Error while serializing: I/O error: No space left on device (os error 28)"), "disk-full"),
        (caused_by(ValueError("wrapper"), OSError(errno.ENOSPC, "full")), "disk-full"),
        (MemoryError(), "out-of-memory"),
        (RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"), "out-of-memory"),
        (type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory"), "out-of-memory"),
        (ZeroDivisionError("division by zero"), "internal"),
        (OSError(errno.EACCES, "Permission denied"), "internal"),
    ],
)
def test_each_failure_has_its_code_a_sentence_and_a_way_out(error, code):
    report = describe(error)
    assert report.code == code
    assert report.message
    assert report.remedy
    assert "\n" not in report.message
