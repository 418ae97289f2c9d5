"""Row F18: what is fetched is what its source has, or it is fetched again, or it is refused.

The stand-in answers as the Hub's public API does, with the ETags that the Hub gives: Git's hash of a small file, the
SHA-256 of a large one.
"""

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peft_engine.files import sha256
from peft_engine.models import resolve_base
from peft_engine.models.fetched import damaged_files, forget
from peft_engine.models.materialise import materialise
from peft_schemas.errors import WorkbenchError
from tests.property.strategies import examples

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = {"config.json": b'{"model_type": "llama"}', "model.safetensors": bytes(range(256)) * 40}


def etag(name: str, content: bytes) -> str:
    if name.endswith(".json"):
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    return hashlib.sha256(content).hexdigest()


class Hub:
    """A hub whose answers are altered on their way, as often as it is told."""

    def __init__(self) -> None:
        self.alterations = 0
        self.sent: list[str] = []

    def content(self, name: str) -> bytes:
        self.sent.append(name)
        content = FILES[name]
        if name != "model.safetensors" or self.alterations == 0:
            return content
        self.alterations -= 1
        return content[:5000] + bytes([content[5000] ^ 1]) + content[5001:]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.rpartition("/")[2]
            if "/tree/" in self.path:
                tree = [{"type": "file", "path": file, "size": len(FILES[file]), "oid": "0" * 40} for file in FILES]
                self._answer(json.dumps(tree).encode(), "tree")
            elif self.path.startswith("/api/models/"):
                siblings = [{"rfilename": file} for file in FILES]
                about = {"id": "org/model", "modelId": "org/model", "sha": COMMIT, "siblings": siblings}
                self._answer(json.dumps(about).encode(), "about")
            else:
                body = hub.content(name) if self.command == "GET" else FILES[name]
                self._answer(body, etag(name, FILES[name]))

        do_HEAD = do_GET

        def _answer(self, body: bytes, tag: str) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", f'"{tag}"')
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    yield hub
    server.shutdown()
    server.server_close()


def test_contract_F18_000_P7_a_download_that_came_damaged_is_fetched_again_and_kept_by_its_hash(
    hub: Hub, tmp_path: Path
) -> None:
    hub.alterations = 1
    folder = materialise(resolve_base("org/model")).hf_dir
    assert folder is not None
    for name, content in FILES.items():
        assert (folder / name).read_bytes() == content
        assert (folder / name).resolve().name == etag(name, content)
    assert sha256(folder / "model.safetensors") == (folder / "model.safetensors").resolve().name
    assert hub.sent.count("model.safetensors") == 2
    assert hub.sent.count("config.json") == 1, "what came whole is not fetched again"


def test_contract_F18_a_download_that_comes_damaged_each_time_is_refused_and_not_kept(hub: Hub, tmp_path: Path) -> None:
    hub.alterations = 100
    with pytest.raises(WorkbenchError, match="other content than the hub's hash") as refused:
        materialise(resolve_base("org/model"))
    assert refused.value.code == "model-missing"
    assert not [path for path in (tmp_path / "hf").rglob("*") if path.is_file() and path.stat().st_size > 5000]


@given(content=st.binary(min_size=1, max_size=400), name=st.sampled_from(["a.json", "a.bin"]), data=st.data())
@examples(60)
def test_000_P7_F18_any_byte_that_is_altered_or_lost_is_noticed(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, name: str, data: st.DataObject
) -> None:
    root = tmp_path_factory.mktemp("cache")
    snapshot, blob = root / "snapshots" / COMMIT, root / "blobs" / etag(name, content)
    snapshot.mkdir(parents=True)
    blob.parent.mkdir()
    blob.write_bytes(content)
    (snapshot / name).symlink_to(Path("../../blobs") / blob.name)
    assert damaged_files(snapshot) == []
    at = data.draw(st.integers(0, len(content) - 1))
    other = data.draw(st.sampled_from([b"", bytes([content[at] ^ 1 << data.draw(st.integers(0, 7))])]))
    blob.write_bytes(content[:at] + other + content[at + 1 :])
    assert damaged_files(snapshot) == [snapshot / name]
    forget(snapshot / name)
    assert list(snapshot.iterdir()) == list(blob.parent.iterdir()) == []
