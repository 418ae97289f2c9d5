"""A language server's other end: sends what an editor sends and notes when the answers arrive."""

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil

PATIENCE = 120.0
"""Seconds after which a server is given up."""


class Client:
    """One server process. What it asks of the editor is answered at once."""

    def __init__(
        self, command: Sequence[str], folder: Path, configuration: Callable[[str], Any], **environment: str
    ) -> None:
        """Start a server.

        Args:
            command: The program and its arguments.
            folder: Where it is started.
            configuration: Returns the settings of a section when the server asks for them.
            environment: Variables that the server is given besides those of this process.
        """
        self.started = time.perf_counter()
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._configuration = configuration
        self._messages: queue.Queue[tuple[float, dict[str, Any]]] = queue.Queue()
        self._last_id = 0
        threading.Thread(target=self._read, daemon=True).start()

    def initialize(self, folder: Path) -> None:
        """Shake hands, as an editor that takes pushed diagnostics."""
        capabilities = {
            "textDocument": {
                "synchronization": {},
                "publishDiagnostics": {"versionSupport": True, "relatedInformation": True},
                "completion": {"completionItem": {"snippetSupport": True}},
            },
            "workspace": {"configuration": True, "workspaceFolders": True},
        }
        folders = [{"uri": folder.as_uri(), "name": folder.name}]
        params = {"processId": os.getpid(), "rootUri": folder.as_uri(), "capabilities": capabilities}
        self.request("initialize", {**params, "workspaceFolders": folders})
        self.notify("initialized", {})

    def request(self, method: str, params: Any) -> float:
        """Send a request, wait for its answer and return the seconds that it took."""
        self._last_id += 1
        begun = time.perf_counter()
        self._send({"id": self._last_id, "method": method, "params": params})
        while True:
            arrived, message = self._messages.get(timeout=PATIENCE)
            if message.get("id") == self._last_id and "method" not in message:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']['message']}")
                return arrived - begun

    def notify(self, method: str, params: Any) -> float:
        """Send a notification and return when."""
        begun = time.perf_counter()
        self._send({"method": method, "params": params})
        return begun

    def diagnostics(self, uri: str, version: int) -> tuple[float, list[Any]]:
        """Wait for the diagnostics of a version, and return when they arrived.

        A server that names no version is believed to mean the newest.
        """
        while True:
            arrived, message = self._messages.get(timeout=PATIENCE)
            if message.get("method") != "textDocument/publishDiagnostics":
                continue
            params = message["params"]
            if params["uri"] == uri and params.get("version") in (None, version):
                return arrived, params["diagnostics"]

    def processor_time(self) -> float:
        """Return the seconds that the server and its children have computed."""
        process = psutil.Process(self._process.pid)
        times = process.cpu_times()
        ended = times.children_user + times.children_system
        return ended + sum(_processor_time(each) for each in (process, *process.children(recursive=True)))

    def memory(self) -> int:
        """Return the resident bytes of the server and its children."""
        process = psutil.Process(self._process.pid)
        return sum(each.memory_info().rss for each in (process, *process.children(recursive=True)))

    def close(self) -> None:
        """End the server."""
        self._process.kill()
        self._process.wait()

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self._process.stdin.flush()

    def _read(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        while True:
            length = 0
            while header := stream.readline().strip():
                name, _, value = header.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            if not length:
                return
            body = stream.read(length)
            arrived = time.perf_counter()
            message = json.loads(body)
            if "method" in message and "id" in message:
                self._send({"id": message["id"], "result": self._answer(message)})
            else:
                self._messages.put((arrived, message))

    def _answer(self, message: dict[str, Any]) -> Any:
        if message["method"] != "workspace/configuration":
            return None
        return [self._configuration(item.get("section", "")) for item in message["params"]["items"]]


def _processor_time(process: psutil.Process) -> float:
    """Return the seconds that a process has computed, its children apart."""
    if sys.platform == "linux":
        # The processor clock of another process, as `clock_getcpuclockid` numbers it, counts nanoseconds. What psutil
        # returns counts ticks of ten milliseconds, which are several edits.
        return time.clock_gettime(~process.pid << 3 | 2)
    times = process.cpu_times()
    return times.user + times.system
