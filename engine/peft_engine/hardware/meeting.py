"""Whether the processes of one run could meet on this machine and exchange gradients. Light: torch is asked apart."""

import json
import socket
import subprocess
from contextlib import closing

from peft_schemas.base import Word

_QUESTION = """
import json, torch
from torch import distributed
there = distributed.is_available()
print(json.dumps({
    "devices": torch.cuda.device_count(),
    "gloo": there and distributed.is_gloo_available(),
    "nccl": there and distributed.is_nccl_available(),
}))
"""
_PATIENCE = 120.0
"""Seconds for torch to be imported, on a machine that has other things to do."""


class Exchange(Word):
    """What the torch of an interpreter can exchange gradients with."""

    devices: int
    """CUDA devices that it sees."""

    gloo: bool
    """The library for CPUs, which also carries what the processes say to each other."""

    nccl: bool
    """The library for CUDA devices."""


def exchange_of(python: str) -> Exchange | None:
    """Ask an interpreter's torch, None when there is none or it does not answer."""
    try:
        answer = subprocess.run([python, "-c", _QUESTION], capture_output=True, timeout=_PATIENCE, check=True)
        return Exchange.model_validate(json.loads(answer.stdout))
    except (OSError, subprocess.SubprocessError, ValueError):
        return None


def meeting_fault() -> str | None:
    """Return why processes on this machine cannot connect to each other, None when nothing speaks against it.

    Gloo listens on a free port of the address that the machine's own name has.
    """
    name = socket.gethostname()
    try:
        address = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)[0][4][0]
    except OSError:
        return f"the machine's own name, {name}, has no address"
    family = socket.AF_INET6 if ":" in str(address) else socket.AF_INET
    try:
        with closing(socket.socket(family, socket.SOCK_STREAM)) as listening:
            listening.bind((address, 0))
    except OSError as error:
        return f"no port of {address} can be listened on: {error.strerror}"
    return None
