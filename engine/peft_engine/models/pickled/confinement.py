"""Giving up rights, for good: what this process can no longer do, no stranger's file can make it do."""

import ctypes
import platform
import resource
import signal
import struct
import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class _Calls:
    """Linux's numbers on one machine."""

    machine: int
    seccomp: int
    forbidden: tuple[int, ...]
    """socket, connect, socketpair, ptrace, execve, execveat, process_vm_readv and -writev, io_uring_setup; and fork and
    vfork where they exist."""


_CALLS = {
    "x86_64": _Calls(0xC000003E, 317, (41, 42, 53, 101, 59, 322, 310, 311, 425, 57, 58)),
    "aarch64": _Calls(0xC00000B7, 277, (198, 203, 199, 117, 221, 281, 270, 271, 425)),
}
_OTHER_NUMBERING = 0x40000000
"""From here on x86 has its calls a second time (x32)."""

_DIE_WITH_PARENT, _NO_NEW_PRIVILEGES = 1, 38
_FILTER, _ALL_THREADS = 1, 1
_LOAD, _JUMP_IF_EQUAL, _JUMP_IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _KILL, _REFUSE = 0x7FFF0000, 0x80000000, 0x00050000
_NOT_PERMITTED = 1


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def confine(*, memory: int, file_bytes: int, seconds: int) -> bool:
    """Limit this process and everything that it becomes.

    Args:
        memory: Bytes of addresses beyond what it has now.
        file_bytes: Bytes that a file may grow to.
        seconds: Of processor time.

    Returns:
        Whether connections and programs are out of reach, too: on Linux, by a filter of system calls (seccomp).
    """
    limits = {
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_FSIZE: file_bytes,
        resource.RLIMIT_AS: _addresses() + memory,
        resource.RLIMIT_CORE: 0,
    }
    for kind, most in limits.items():
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))
    return _forbid_calls()


def _addresses() -> int:
    if sys.platform != "linux":
        return 2**36
    with open("/proc/self/statm") as file:  # noqa: PTH123  (no file that pathlib would help with)
        return int(file.read().split()[0]) * resource.getpagesize()


def _forbid_calls() -> bool:
    known = _CALLS.get(platform.machine())
    if sys.platform != "linux" or known is None:
        return False
    count = len(known.forbidden)
    steps = [
        (_LOAD, 0, 0, 4),  # the machine whose call it is
        (_JUMP_IF_EQUAL, 1, 0, known.machine),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),  # the call's number
        (_JUMP_IF_AT_LEAST, count + 1, 0, _OTHER_NUMBERING),
        *((_JUMP_IF_EQUAL, count - index, 0, call) for index, call in enumerate(known.forbidden)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE | _NOT_PERMITTED),
    ]
    program = _Program(len(steps), b"".join(struct.pack("HBBI", *step) for step in steps))
    library = ctypes.CDLL(None, use_errno=True)
    library.prctl(_DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
    if library.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0:
        return False
    return bool(library.syscall(known.seccomp, _FILTER, _ALL_THREADS, ctypes.byref(program)) == 0)
