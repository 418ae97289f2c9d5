"""Attack 4: a hub that sends a download elsewhere, or names files outside the model's folder.

The stand-in answers as the Hub's public API does (`/api/models/{id}/revision/{rev}`, `/api/models/{id}/tree/{rev}` and
`/{id}/resolve/{rev}/{file}` with `X-Repo-Commit` and `ETag`), and lies in the ways that a hostile hub could.
"""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from peft_engine.models import resolve_base
from peft_engine.models.hub_client import StrayDownload, require_allowed
from peft_engine.models.materialise import materialise
from peft_schemas.errors import WorkbenchError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SECRET = b'{"secret": "of another service on this machine"}'


@dataclass
class Hub:
    """A hub on loopback, and a service beside it that no download may reach."""

    url: str = ""
    files: list[str] = field(default_factory=list)
    location: str | None = None
    """Where a file's request is redirected to."""

    asked: list[str] = field(default_factory=list)
    reached: list[str] = field(default_factory=list)
    """Requests that came to the other service."""


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            hub.asked.append(self.path)
            if "/tree/" in self.path:
                tree = [{"type": "file", "path": name, "size": 2, "oid": "0" * 40} for name in hub.files]
                self._answer(200, json.dumps(tree).encode())
            elif self.path.startswith("/api/models/"):
                siblings = [{"rfilename": name} for name in hub.files]
                body = json.dumps(
                    {"id": "org/evil", "modelId": "org/evil", "sha": COMMIT, "siblings": siblings}
                ).encode()
                self._answer(200, body)
            elif hub.location is not None:
                self._answer(302, b"", Location=hub.location)
            else:
                self._answer(200, b"{}")

        do_HEAD = do_GET

        def _answer(self, status: int, body: bytes, **headers: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", '"abc"')
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            hub.reached.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(len(SECRET)))
            self.send_header("ETag", '"abc"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(SECRET)

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            pass

    servers = [ThreadingHTTPServer(("127.0.0.1", 0), handler) for handler in (Handler, Other)]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    hub.url = f"http://127.0.0.1:{servers[0].server_port}"
    hub.location = f"http://127.0.0.1:{servers[1].server_port}/latest/meta-data"
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    yield hub
    for server in servers:
        server.shutdown()
        server.server_close()


def _written(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "name", ["../../../../escaped.json", "/tmp/escaped.json", "..\\..\\escaped.json", "a/../../../../escaped.json"]
)
def test_a_file_name_does_not_leave_the_models_folder(hub: Hub, tmp_path: Path, name: str) -> None:
    hub.files, hub.location = ["config.json", name], None
    with pytest.raises(WorkbenchError):
        materialise(resolve_base("org/evil"))

    assert hub.asked
    below = tmp_path / "hf"
    assert all(path.is_relative_to(below) for path in _written(tmp_path))
    # What the hub calls a file becomes a file only below the snapshot of its own repository.
    snapshots = below / "hub/models--org--evil/snapshots"
    assert all(path.is_relative_to(snapshots) for path in below.rglob("*escaped*"))
    assert not Path("/tmp/escaped.json").exists()


def test_a_redirect_to_another_service_gives_no_file(hub: Hub, tmp_path: Path) -> None:
    hub.files = ["config.json"]
    with pytest.raises(WorkbenchError, match=r"sent the download of org/evil to 127\.0\.0\.1") as error:
        materialise(resolve_base("org/evil"))

    assert error.value.code == "model-missing"
    assert hub.asked
    assert hub.reached == []
    assert SECRET not in [path.read_bytes() for path in _written(tmp_path)]


@pytest.mark.parametrize("scheme", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1:70/x"])
def test_a_redirect_to_another_scheme_is_not_followed(hub: Hub, tmp_path: Path, scheme: str) -> None:
    hub.files, hub.location = ["config.json"], scheme
    with pytest.raises(WorkbenchError):
        materialise(resolve_base("org/evil"))
    assert b"root:" not in b"".join(path.read_bytes() for path in _written(tmp_path))


def test_an_honest_hub_is_downloaded_from(hub: Hub) -> None:
    hub.files, hub.location = ["config.json", "model.safetensors"], None
    base = materialise(resolve_base("org/evil"))
    assert base.hf_dir is not None
    assert (base.hf_dir / "config.json").read_text() == "{}"


HUB = ("https", "huggingface.co", None)


@pytest.mark.parametrize(
    "url",
    [
        "http://huggingface.co/x",
        "https://127.0.0.1/x",
        "https://[::1]/x",
        "https://localhost/x",
        "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.1/x",
        "https://192.168.1.1/x",
        "https://[::ffff:127.0.0.1]/x",
        "https://0.0.0.0/x",
        "https://2130706433/x",
        "file:///etc/passwd",
        "ftp://8.8.8.8/x",
    ],
)
def test_an_address_of_this_machine_or_its_network_is_refused(url: str) -> None:
    with pytest.raises(StrayDownload):
        require_allowed(url, HUB)


@pytest.mark.parametrize("url", ["https://huggingface.co/x", "https://8.8.8.8/x", "https://[2606:4700::1]/x"])
def test_the_hub_and_the_public_internet_are_allowed(url: str) -> None:
    require_allowed(url, HUB)
