"""Whether a server of this machine is there."""

import ipaddress
import socket
from urllib.parse import SplitResult, urlsplit

_PATIENCE = 0.5
"""Seconds for a connection within this machine, which is made or refused at once."""

_PORTS = {"http": 80, "https": 443}


def is_answering(url: str) -> bool | None:
    """Tell whether something listens at an address, None where that is not known.

    Only this machine is asked: what a file names must not have this program speak with any other.
    """
    place = _place(url)
    if place is None:
        return None
    try:
        socket.create_connection(place, timeout=_PATIENCE).close()
    except ConnectionRefusedError:
        return False
    except OSError:
        return None
    return True


def _place(url: str) -> tuple[str, int] | None:
    """Return host and port of an address of this machine, None for any other."""
    try:
        parts = urlsplit(url)
        port = _PORTS.get(parts.scheme) if parts.port is None else parts.port
    except ValueError:
        return None
    host = parts.hostname
    return (host, port) if host and port and parts.scheme in _PORTS and _is_here(parts) else None


def _is_here(parts: SplitResult) -> bool:
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return parts.hostname == "localhost"
