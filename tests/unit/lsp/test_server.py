"""The life of a language server, from the handshake to the end."""

import asyncio

import pytest

from peft_daemon.lsp.errors import INVALID_REQUEST, SERVER_NOT_INITIALIZED
from peft_daemon.lsp.server import LanguageServer
from tests.lsp.inprocess import Wire

HELLO = {"processId": None, "capabilities": {}}


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
async def server(wire: Wire) -> LanguageServer:
    server = LanguageServer(wire.sent.append, "name", "1.2", {"hoverProvider": True})
    server.feature("echo", lambda params: params)
    return server


async def test_the_handshake_says_who_and_what(server: LanguageServer, wire: Wire) -> None:
    result = (await wire.ask(server, "initialize", HELLO))["result"]
    assert result == {"capabilities": {"hoverProvider": True}, "serverInfo": {"name": "name", "version": "1.2"}}


async def test_requests_outside_the_servers_life_are_refused(server: LanguageServer, wire: Wire) -> None:
    assert (await wire.ask(server, "echo"))["error"]["code"] == SERVER_NOT_INITIALIZED
    await wire.ask(server, "initialize", HELLO)
    assert (await wire.ask(server, "initialize", HELLO))["error"]["code"] == INVALID_REQUEST
    assert (await wire.ask(server, "echo", 1))["result"] == 1
    assert (await wire.ask(server, "shutdown"))["result"] is None
    assert (await wire.ask(server, "echo"))["error"]["code"] == INVALID_REQUEST


async def test_a_handshake_that_was_refused_can_be_tried_again(server: LanguageServer, wire: Wire) -> None:
    assert "error" in await wire.ask(server, "initialize", {"processId": None})
    assert "result" in await wire.ask(server, "initialize", HELLO)


async def test_only_exit_is_heard_outside_the_servers_life(server: LanguageServer, wire: Wire) -> None:
    heard = []
    server.listen("news", heard.append)
    wire.tell(server, {"method": "news", "params": 1})
    await wire.ask(server, "initialize", HELLO)
    wire.tell(server, {"method": "news", "params": 2})
    await wire.ask(server, "shutdown")
    wire.tell(server, {"method": "news", "params": 3})
    assert heard == [2]
    wire.tell(server, {"method": "exit"})
    assert server.ended.is_set()


async def test_what_the_editor_can_do_is_known_by_its_path(server: LanguageServer, wire: Wire) -> None:
    capabilities = {"textDocument": {"hover": {}, "rename": {"prepareSupport": True, "honors": False}}, "odd": 3}
    await wire.ask(server, "initialize", {**HELLO, "capabilities": capabilities})
    can = ["textDocument", "textDocument.hover", "textDocument.rename.prepareSupport"]
    cannot = ["window", "textDocument.rename.honors", "textDocument.rename.prepareSupport.x", "odd.x", "a.b.c"]
    assert [path for path in can + cannot if server.can(path)] == can


async def test_the_open_folders_follow_the_editor(server: LanguageServer, wire: Wire) -> None:
    a, b = {"uri": "file:///a", "name": "a"}, {"uri": "file:///b", "name": "b"}
    await wire.ask(server, "initialize", {**HELLO, "workspaceFolders": [a]})
    assert server.workspace_folders == [a]
    event = {"added": [b], "removed": [a]}
    wire.tell(server, {"method": "workspace/didChangeWorkspaceFolders", "params": {"event": event}})
    assert server.workspace_folders == [b]


async def test_a_capability_can_be_announced_after_the_handshake(server: LanguageServer, wire: Wire) -> None:
    await wire.ask(server, "initialize", HELLO)
    announcing = [asyncio.ensure_future(server.announce("workspace/x", {"y": index})) for index in range(2)]
    await asyncio.sleep(0)
    asked = [message for message in wire.messages if message.get("method") == "client/registerCapability"]
    registrations = [registration for message in asked for registration in message["params"]["registrations"]]
    assert len({registration["id"] for registration in registrations}) == 2
    assert [registration["registerOptions"] for registration in registrations] == [{"y": 0}, {"y": 1}]
    for message in asked:
        wire.tell(server, {"id": message["id"], "result": None})
    await asyncio.gather(*announcing)
