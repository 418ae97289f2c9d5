"""A bare client of the Language Server Protocol: raw JSON-RPC against the real process over its pipes.

Every message that the server sends is held against the official types of LSP, in every test that uses the client.
"""

import json
import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from tests.lsp.contract import assert_is_lsp

TIMEOUT = 60
"""Seconds that an answer may take. The machine may be busy; nothing here measures speed."""


class Client:
    """One server process and what it said."""

    def __init__(self, *command: str) -> None:
        """Start a server: `peftw lsp`, or what the interpreter is told to run instead."""
        self.process = subprocess.Popen(
            [sys.executable, *(command or ("-m", "peft_daemon", "lsp"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.diagnostics: dict[str, dict[str, Any]] = {}
        """The last published diagnostics by URI."""

        self.notifications: list[dict[str, Any]] = []
        self._messages: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._last_id = 0
        self._asked: dict[Any, str] = {}
        self._log: list[bytes] = []
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=self._drain, daemon=True).start()

    def initialize(self, capabilities: dict[str, Any] | None = None, **params: Any) -> dict[str, Any]:
        """Shake hands and return the server's answer."""
        answer = self.request(
            "initialize", {"processId": None, "rootUri": None, "capabilities": capabilities or {}, **params}
        )
        self.notify("initialized", {})
        return answer["result"]

    def open(self, path: Path | str, text: str, version: int = 1) -> str:
        """Open a document and return its URI."""
        uri = path.as_uri() if isinstance(path, Path) else path
        item = {"uri": uri, "languageId": "peft-yaml", "version": version, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": item})
        return uri

    def change(self, uri: str, version: int, *changes: dict[str, Any]) -> None:
        """Send edits."""
        document = {"uri": uri, "version": version}
        self.notify("textDocument/didChange", {"textDocument": document, "contentChanges": list(changes)})

    def published(self, uri: str, version: int | None = None) -> list[dict[str, Any]]:
        """Wait for the diagnostics of a document, of a certain version when one is given."""
        while True:
            message = self._next()
            if message.get("method") != "textDocument/publishDiagnostics":
                continue
            params = message["params"]
            if params["uri"] == uri and version in (None, params.get("version")):
                return params["diagnostics"]

    def request(self, method: str, params: Any = None, **extra: Any) -> dict[str, Any]:
        """Send a request and return the whole response."""
        return self.response(self.begin(method, params, **extra))

    def begin(self, method: str, params: Any = None, **extra: Any) -> int:
        """Send a request and return its id."""
        self._last_id += 1
        self._asked[self._last_id] = method
        self.send({"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": params, **extra})
        return self._last_id

    def response(self, id_: Any) -> dict[str, Any]:
        """Wait for the response to a request."""
        while True:
            message = self._next()
            if "method" not in message and message.get("id") == id_:
                return message

    def answered(self) -> dict[str, Any]:
        """Wait for a response to any request."""
        while True:
            message = self._next()
            if "method" not in message:
                return message

    def asked(self, method: str) -> dict[str, Any]:
        """Wait for a request that the server sends."""
        while True:
            message = self._next()
            if message.get("method") == method and "id" in message:
                return message

    def notified(self, method: str) -> dict[str, Any]:
        """Wait for a notification and return its params."""
        while True:
            message = self._next()
            if message.get("method") == method and "id" not in message:
                return message["params"]

    def ask(self, method: str, uri: str, line: int | None = None, character: int = 0, **params: Any) -> Any:
        """Send a request about a document, at a position when a line is given, and return its result."""
        position = {} if line is None else {"position": {"line": line, "character": character}}
        return self.request(method, {"textDocument": {"uri": uri}, **position, **params})["result"]

    def notify(self, method: str, params: Any = None) -> None:
        """Send a notification."""
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def send(self, message: Any) -> None:
        """Send any JSON value as a message."""
        self.send_bytes(json.dumps(message).encode())

    def send_bytes(self, body: bytes) -> None:
        """Send a body as it is."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.process.stdin.flush()

    def stop(self) -> int:
        """Shut the server down as the protocol asks and return its exit code."""
        self.request("shutdown")
        self.notify("exit")
        return self.process.wait(TIMEOUT)

    def kill(self) -> None:
        """End the process however it stands."""
        self.process.kill()
        self.process.wait(TIMEOUT)

    @property
    def log(self) -> str:
        """What the server wrote to stderr so far."""
        return b"".join(self._log).decode(errors="replace")

    def _next(self) -> dict[str, Any]:
        message = self._messages.get(timeout=TIMEOUT)
        if message is None:
            raise EOFError(f"the server closed its output; it said:\n{self.log}")
        assert_is_lsp(message, self._asked.get(message.get("id")))
        if message.get("method") == "textDocument/publishDiagnostics":
            self.diagnostics[message["params"]["uri"]] = message["params"]
        elif "method" in message and "id" not in message:
            self.notifications.append(message)
        return message

    def _read(self) -> None:
        stream = self.process.stdout
        assert stream is not None
        while True:
            length = 0
            while (header := stream.readline().strip()) != b"":
                if header.lower().startswith(b"content-length:"):
                    length = int(header.split(b":")[1])
            if not length:
                self._messages.put(None)
                return
            self._messages.put(json.loads(stream.read(length)))

    def _drain(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._log.append(line)
