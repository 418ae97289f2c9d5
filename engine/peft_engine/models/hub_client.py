"""How far a download from the model hub may go: to the hub itself, and over HTTPS to hosts of the public internet.

A hub answers with addresses of its choice, so one that is hostile, or was broken into, could have this machine ask what
only this machine can reach: its other services, its network, a cloud's metadata (CVE-2026-5530 was that in Ollama).
"""

import ipaddress
import os
import socket
from typing import Any
from urllib.parse import urlsplit

_OWN_HUB = "https://huggingface.co"


class StrayDownload(Exception):
    """The hub sent a download to an address that it has no business with; the message is the address's host."""


def guard_downloads() -> None:
    """Hold every request of huggingface_hub in this process to those addresses. Call it before the first one."""
    hub = os.environ.get("HF_ENDPOINT") or _OWN_HUB
    if hub != _OWN_HUB:
        # The other transport, which is not written in Python, cannot be held; it is only for Hugging Face's own hub.
        os.environ["HF_HUB_DISABLE_XET"] = "1"
    from huggingface_hub import constants, set_client_factory
    from huggingface_hub.utils._http import default_client_factory

    origin = _origin(constants.ENDPOINT)

    def refuse(request: Any) -> None:
        require_allowed(str(request.url), origin)

    def make_client() -> Any:
        client = default_client_factory()
        hooks = client.event_hooks
        client.event_hooks = {**hooks, "request": [*hooks["request"], refuse]}
        return client

    set_client_factory(make_client)


def require_allowed(url: str, hub: tuple[str, str, int | None]) -> None:
    """Let an address pass or not. It is asked for each hop of a redirection.

    Args:
        url: What is about to be asked.
        hub: Scheme, host and port of the hub, which the user chose.

    Raises:
        StrayDownload: It is neither the hub nor an HTTPS address of the public internet.
    """
    scheme, host, port = _origin(url)
    if (scheme, host, port) == hub:
        return
    if scheme != "https" or not _is_public(host):
        raise StrayDownload(host or url[:80])


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port


def _is_public(host: str) -> bool:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        # A name that only a proxy can resolve is the proxy's to judge; without one the request fails anyway.
        return True
    return all(ipaddress.ip_address(address[4][0]).is_global for address in found)
