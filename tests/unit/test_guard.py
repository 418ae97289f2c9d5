import socket
import subprocess
import sys

import pytest


def test_a_test_cannot_reach_outside_loopback() -> None:
    with socket.socket() as sock, pytest.raises(ConnectionRefusedError, match="may not connect"):
        sock.connect(("192.0.2.1", 80))


def test_a_child_process_cannot_reach_outside_loopback() -> None:
    code = "import socket; socket.socket().connect(('192.0.2.1', 80))"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "tests may not connect" in child.stderr


def test_loopback_is_open() -> None:
    with socket.socket() as server, socket.socket() as client:
        server.bind(("127.0.0.1", 0))
        server.listen()
        client.connect(server.getsockname())
