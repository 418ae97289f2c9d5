"""Servers for the tests of the language server."""

from collections.abc import Iterator

import pytest

from tests.lsp.client import Client


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
