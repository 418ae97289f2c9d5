"""Servers for the tests of the language server."""

from collections.abc import Iterator

import pytest

from peft_daemon.server import create_server
from peft_daemon.workbench import WorkbenchServer
from tests.lsp.client import Client
from tests.lsp.inprocess import Wire


@pytest.fixture
def fresh(_home) -> Iterator[Client]:
    """A server of the test's own, not yet initialized."""
    client = Client()
    yield client
    client.kill()


@pytest.fixture
def client(fresh: Client) -> Client:
    """A server of the test's own, ready."""
    fresh.initialize()
    return fresh


@pytest.fixture(scope="module")
def shared() -> Iterator[Client]:
    """A server that the tests of a module share; each uses documents of its own."""
    client = Client()
    client.initialize({"textDocument": {"completion": {"completionItem": {"snippetSupport": True}}}})
    yield client
    client.kill()


@pytest.fixture
def wire() -> Wire:
    """What an editor in this process hears."""
    return Wire()


@pytest.fixture
async def server(wire: Wire) -> WorkbenchServer:
    """A server in this process, ready, at the other end of the wire."""
    server = create_server(wire.sent.append)
    await wire.ask(server, "initialize", {"processId": None, "capabilities": {}})
    return server
