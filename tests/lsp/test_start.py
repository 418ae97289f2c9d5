"""What a start does, and what it leaves for later."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.lsp.client import TIMEOUT, Client
from tests.property.strategies import VALID
from tests.waiting import wait_until

COUNTING = """
import sys
opened = []
sys.addaudithook(lambda event, arguments: opened.append(str(arguments[0])) if event == "open" else None)
import peft_daemon.server as server
create = server.create_server
def counted(send):
    made = create(send)
    made.feature("peft/test/opened", lambda _: list(opened))
    return made
server.create_server = counted
from peft_daemon.cli.lsp import main
from tests.waiting import wait_until
sys.exit(main(["--log-level", "info"]))
"""
"""A server that says which files it has opened."""


@pytest.fixture
def counting(_home) -> Iterator[Client]:
    client = Client("-c", COUNTING)
    yield client
    client.kill()


def test_U5_the_handshake_is_answered_before_the_language_is_loaded(_home) -> None:
    script = (
        "import json, sys\nfrom peft_daemon.workbench import WorkbenchServer\n"
        "seen = []\nserver = WorkbenchServer(lambda body: seen.append(list(sys.modules)), [], [])\n"
        "params = {'processId': None, 'capabilities': {}}\n"
        "message = {'jsonrpc': '2.0', 'id': 1, 'method': 'initialize', 'params': params}\n"
        "server.receive(json.dumps(message).encode())\nprint(*seen[0], sep='\\n')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=TIMEOUT, check=True)
    loaded = set(done.stdout.split())
    assert "peft_daemon.capabilities" in loaded
    assert not loaded & {"pydantic", "yaml", "tree_sitter", "httpx", "peft_daemon.language.check"}


def test_U7_the_first_completion_reads_no_file(counting: Client) -> None:
    counting.initialize()
    wait_until(lambda: "has been read" in counting.log and "everything is loaded" in counting.log, lambda: counting.log)
    uri = counting.open("untitled:warm.peft.yaml", VALID)
    counting.published(uri)
    before = counting.request("peft/test/opened")["result"]
    for line in range(VALID.count("\n") + 1):
        counting.ask("textDocument/completion", uri, line, 2)
        counting.ask("textDocument/hover", uri, line, 2)
    after = counting.request("peft/test/opened")["result"]
    assert len(before) > 20, "the counter does not count"
    assert after[len(before) :] == []
