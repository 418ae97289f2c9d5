"""The guard in front of every route: Host, Origin, token, size."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from peft_engine.inference.http.app import OPERATIONS, build_app
from peft_engine.inference.residency import Residency
from peft_engine.inference.scheduler import Scheduler
from peft_engine.loopback.guard import MAX_BODY

TOKEN = "correct-horse"
KEY = {"Authorization": f"Bearer {TOKEN}"}
ROUTES = [
    *((operation.method, operation.path.format(model_id="some/model")) for operation in OPERATIONS),
    ("GET", "/nowhere"),
    ("OPTIONS", "/v1/chat/completions"),
]


@pytest.fixture
def told() -> list[str]:
    """What the application passed on to the process."""
    return []


@pytest.fixture
def client(told: list[str]) -> Iterator[TestClient]:
    def load(_: object) -> None:
        raise AssertionError("no request of these tests may load a model")

    app = build_app(
        Scheduler(Residency(load)),  # type: ignore[arg-type]
        token=TOKEN,
        on_shutdown=lambda: told.append("shutdown"),
        on_request=told.append,
    )
    with TestClient(app, base_url="http://127.0.0.1:1234", raise_server_exceptions=False) as client:
        yield client


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": TOKEN},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": b"Bearer \xc3\xa9"},
        {"X-Api-Key": TOKEN},
    ],
)
def test_without_the_token_every_route_is_401(
    client: TestClient, told: list[str], method: str, path: str, headers: dict[str, str | bytes]
) -> None:
    response = client.request(method, path, headers=headers)  # type: ignore[arg-type]

    assert response.status_code == 401
    assert response.json()["error"]["code"] == "invalid_api_key"
    assert TOKEN not in response.text
    assert told == []


def test_the_token_does_not_pass_in_the_url(client: TestClient) -> None:
    assert client.get("/health", params={"token": TOKEN, "api_key": TOKEN}).status_code == 401


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.com:1234",
        "localhost.",
        "localhost.:1234",
        "evil.com#127.0.0.1",
        "127.0.0.1:x",
        "0.0.0.0:1234",
        "127.1",
        "",
        "localhost:1234 ",
    ],
)
def test_a_foreign_host_is_403_with_or_without_the_token(
    client: TestClient, told: list[str], method: str, path: str, host: str
) -> None:
    for headers in ({"Host": host}, {"Host": host, **KEY}, {"Host": host, "Origin": f"http://{host}", **KEY}):
        response = client.request(method, path, headers=headers)
        assert response.status_code == 403
    assert told == []


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost:9999", "file://", "vscode-webview://x", ""]
)
def test_a_foreign_origin_is_403_and_no_cors_header_answers_it(
    client: TestClient, told: list[str], method: str, path: str, origin: str
) -> None:
    asking = {"Access-Control-Request-Method": "POST", "Content-Type": "text/plain"}
    response = client.request(method, path, headers={"Origin": origin, **KEY, **asking})

    assert response.status_code == 403
    assert not [name for name in response.headers if name.lower().startswith("access-control")]
    assert told == []


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:1234", "localhost:1", "[::1]:1234"])
def test_this_machine_by_its_names_passes(client: TestClient, host: str) -> None:
    assert client.get("/health", headers={"Host": host, **KEY}).status_code == 200
    assert client.get("/health", headers={"Host": host, "Origin": f"http://{host}", **KEY}).status_code == 200


def test_the_token_opens_every_route(client: TestClient, told: list[str]) -> None:
    assert client.get("/health", headers=KEY).json()["status"] == "ok"
    assert client.post("/shutdown", headers=KEY).status_code == 202
    assert client.get("/v1/models", headers=KEY).json()["object"] == "list"
    assert client.get("/v1/models/some/model", headers=KEY).status_code == 404
    assert client.post("/v1/chat/completions", headers=KEY).status_code == 400
    assert client.get("/nowhere", headers=KEY).json()["error"]["message"] == "GET /nowhere is not offered here."
    assert client.get("/shutdown", headers=KEY).status_code == 405
    assert "shutdown" in told


def test_an_announced_giant_is_refused_before_it_is_read(client: TestClient) -> None:
    headers = {**KEY, "Content-Length": str(10**9)}
    assert client.post("/v1/chat/completions", headers=headers, content=b"").status_code == 413
    assert client.post("/v1/chat/completions", headers={**KEY, "Content-Length": "x"}).status_code == 400


def test_an_unannounced_giant_is_refused_when_it_grows(client: TestClient) -> None:
    def body() -> Iterator[bytes]:
        for _ in range(MAX_BODY // 2**20 + 1):
            yield b" " * 2**20

    assert client.post("/v1/chat/completions", headers=KEY, content=body()).status_code == 413
