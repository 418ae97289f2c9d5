"""What a start does, and what it leaves for later."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.lsp.client import TIMEOUT, Client
from tests.property.strategies import VALID
from tests.waiting import wait_until

COUNTING = """
import contextvars, inspect, os, sys
opened = []
asked = contextvars.ContextVar("asked", default=None)
def note(event, arguments):
    if event == "open" and asked.get() is not None:
        opened.append([asked.get(), str(arguments[0])])
sys.addaudithook(note)
import peft_daemon.server as server
create = server.create_server
def tell(_):
    open(os.devnull).close()
    return list(opened)
def counted(send):
    made = create(send)
    made.feature("peft/test/opened", tell)
    find = made.handler
    def handler(method):
        answer = find(method)
        async def within(params):
            asked.set(method)
            result = answer(params)
            return await result if inspect.isawaitable(result) else result
        return within
    made.handler = handler
    return made
server.create_server = counted
from peft_daemon.cli.lsp import main
sys.exit(main(["--log-level", "info"]))
"""
"""A server that says which files were opened by which answers. What its watches of runs, models and the model server
look at meanwhile, every second or so, is nothing that an answer waits for."""


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
    for line in range(VALID.count("\n") + 1):
        counting.ask("textDocument/completion", uri, line, 2)
        counting.ask("textDocument/hover", uri, line, 2)
    # The file that the counter opens itself shows that it counts.
    assert counting.request("peft/test/opened")["result"] == [["peft/test/opened", os.devnull]]
