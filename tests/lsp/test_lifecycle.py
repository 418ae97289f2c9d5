"""The server as a process: handshake, errors that are answered, and how it ends."""

import json
import subprocess
import sys
import threading

import pytest

from peft_schemas import PROTOCOL_VERSION, __version__
from peft_schemas.protocol import REQUESTS
from tests.lsp.client import TIMEOUT, Client

HEAVY = ("torch", "transformers", "llama_cpp", "datasets", "numpy", "peft", "accelerate", "pandas")


def test_A1_W5_the_handshake_names_capabilities_and_the_versions_of_our_own_messages(fresh: Client) -> None:
    result = fresh.initialize()
    capabilities = result["capabilities"]
    assert capabilities["experimental"] == {"peft": {"version": __version__, "protocol": PROTOCOL_VERSION}}
    assert capabilities["positionEncoding"] == "utf-16"
    assert capabilities["textDocumentSync"]["change"] == 2
    for provider in ("hover", "completion", "codeAction", "documentSymbol", "foldingRange", "diagnostic"):
        assert capabilities[f"{provider}Provider"], provider
    assert result["serverInfo"]["name"] == "peft-workbench"


def test_ranges_stay_utf16_whatever_the_editor_prefers(fresh: Client) -> None:
    result = fresh.initialize({"general": {"positionEncodings": ["utf-8", "utf-16"]}})
    assert result["capabilities"]["positionEncoding"] == "utf-16"


@pytest.mark.parametrize(
    "options",
    [
        None,
        {},
        {"someEditor": True},
        {"extension_version": "0.0.1", "protocol": 999, "python": "/nowhere/python"},
        {"extension_version": 3, "protocol": "x"},
    ],
)
def test_W5_options_of_other_editors_and_other_versions_do_no_harm(fresh: Client, options) -> None:
    assert fresh.initialize(initializationOptions=options)["capabilities"]["hoverProvider"]


def test_it_ends_with_0_after_shutdown_and_exit(client: Client) -> None:
    assert client.stop() == 0


def test_it_ends_with_1_when_exit_comes_alone(client: Client) -> None:
    client.notify("exit")
    assert client.process.wait(TIMEOUT) == 1


def test_it_ends_when_the_editor_closes_the_pipe(client: Client) -> None:
    client.process.stdin.close()
    assert client.process.wait(TIMEOUT) == 1


def test_requests_before_initialize_and_after_shutdown_are_refused(fresh: Client) -> None:
    assert fresh.request("textDocument/hover", {})["error"]["code"] in (-32002, -32602)
    assert fresh.request("peft/runs/list", {})["error"]["code"] == -32002
    fresh.initialize()
    assert fresh.request("initialize", {"processId": None, "rootUri": None, "capabilities": {}})["error"]
    fresh.request("shutdown")
    assert fresh.request("peft/runs/list", {})["error"]["code"] == -32600


@pytest.mark.parametrize(
    "body", [b"{x}", b"\xff\xfe", b"[]", b"3", b'{"jsonrpc": "1.0"}', b'{"jsonrpc": "2.0"}', b"[" * 100_000]
)
def test_a_message_that_is_none_does_not_end_the_server(client: Client, body: bytes) -> None:
    client.send_bytes(body)
    assert client.request("peft/runs/list", {})["result"] == {"runs": []}


def test_a_message_that_is_not_json_is_answered_with_a_parse_error(client: Client) -> None:
    client.send_bytes(b"{x}")
    assert client.response(None)["error"]["code"] == -32700


def test_what_prints_does_not_reach_the_wire(_home) -> None:
    script = (
        "import sys, peft_daemon.server as s\n"
        "from peft_daemon.cli.lsp import main\n"
        "create = s.create_server\n"
        "def noisy(send):\n    print('noise'); import os; os.system('echo more noise'); return create(send)\n"
        "s.create_server = noisy\nsys.exit(main([]))"
    )
    done = subprocess.run([sys.executable, "-c", script], input=b"", capture_output=True, timeout=TIMEOUT, check=False)
    assert done.stdout == b""
    assert b"more noise" in done.stderr


def test_W4_every_request_answers_bad_params_with_a_sentence(shared: Client) -> None:
    for request in REQUESTS:
        for params in ([], 3, "x", {"unknown": 1}, {"run_id": 3}, {"run_id": {"jsonrpc": "2.0", "method": "x"}}):
            answer = shared.request(request.method, params)
            assert answer["error"]["code"] == -32602, (request.method, params)
            assert answer["error"]["message"].startswith(request.method)
            assert "\n" not in answer["error"]["message"]
    assert shared.request("peft/runs/list", {})["result"] == {"runs": []}


def test_W4_an_unknown_method_is_answered(shared: Client) -> None:
    assert shared.request("peft/nothing", {})["error"]["code"] == -32601


def test_a_request_about_a_document_that_is_not_open_finds_nothing(shared: Client) -> None:
    uri = "file:///nowhere.peft.yaml"
    assert shared.ask("textDocument/hover", uri, 0) is None
    assert shared.ask("textDocument/completion", uri, 0) == []
    assert shared.ask("textDocument/documentSymbol", uri) == []
    assert shared.ask("textDocument/foldingRange", uri) == []
    assert shared.ask("textDocument/diagnostic", uri)["items"] == []


def test_U6_a_server_that_served_every_feature_has_imported_nothing_heavy(_home) -> None:
    script = (
        "import sys\nfrom peft_daemon.cli.lsp import main\ncode = main([])\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\nsys.exit(code)"
    )
    client = Client("-c", script)
    client.initialize()
    uri = client.open("file:///x.peft.yaml", "version: 1\nmodel:\n  base: x\n  dtyp: auto\n")
    assert client.published(uri)
    assert client.ask("textDocument/hover", uri, 2, 3)
    assert client.ask("textDocument/completion", uri, 3, 3)
    zero = {"line": 0, "character": 0}
    client.ask("textDocument/codeAction", uri, range={"start": zero, "end": zero}, context={"diagnostics": []})
    client.ask("textDocument/documentSymbol", uri)
    client.ask("textDocument/foldingRange", uri)
    client.ask("textDocument/diagnostic", uri)
    for method in ("peft/runs/list", "peft/hardware", "peft/serve/status", "peft/chat/models"):
        assert "result" in client.request(method, {})
    assert client.stop() == 0
    assert client.log.strip().endswith("[]"), client.log


MANY = 4000
"""Requests and answers that are, each way, several times what a pipe holds."""


def test_an_editor_that_writes_before_it_reads_is_no_deadlock() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "peft_daemon", "lsp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        written = threading.Thread(target=process.stdin.write, args=(_conversation(),), daemon=True)
        written.start()
        written.join(TIMEOUT)
        assert not written.is_alive()
        process.stdin.flush()
        assert _answered(process.stdout.read()) == MANY + 2
        assert process.wait(TIMEOUT) == 0
    finally:
        process.kill()


def test_an_input_that_no_loop_can_wait_for_is_read_to_its_end(tmp_path) -> None:
    spoken = tmp_path / "spoken"
    spoken.write_bytes(_conversation())
    with spoken.open("rb") as file:
        done = subprocess.run(
            [sys.executable, "-m", "peft_daemon", "lsp"], stdin=file, capture_output=True, timeout=TIMEOUT, check=True
        )
    assert _answered(done.stdout) == MANY + 2


def _conversation() -> bytes:
    """Return all that an editor says which asks much and reads nothing."""
    begin = {"id": 0, "method": "initialize", "params": {"processId": None, "rootUri": None, "capabilities": {}}}
    asked = [{"id": number, "method": "peft/nothing"} for number in range(1, MANY + 1)]
    messages = [begin, {"method": "initialized", "params": {}}, *asked, {"id": MANY + 1, "method": "shutdown"}]
    bodies = [json.dumps({"jsonrpc": "2.0", **message}).encode() for message in [*messages, {"method": "exit"}]]
    return b"".join(b"Content-Length: %d\r\n\r\n%b" % (len(body), body) for body in bodies)


def _answered(said: bytes) -> int:
    bodies = [part.partition(b"\r\n\r\n")[2] for part in said.split(b"Content-Length: ")[1:]]
    return len({message["id"] for body in bodies if "id" in (message := json.loads(body)) and "method" not in message})
