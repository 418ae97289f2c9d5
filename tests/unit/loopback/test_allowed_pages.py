"""What a web page may do: nothing, unless the user has named its origin."""

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from peft_engine.loopback.guard import Allowance, Guard

TOKEN = "correct-horse"
KEY = {"Authorization": f"Bearer {TOKEN}"}
FRIEND = "http://localhost:5173"
ASKING = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}


@pytest.fixture
def client() -> TestClient:
    app = Starlette(routes=[Route("/x", lambda _: PlainTextResponse("read me"), methods=["GET", "POST"])])
    guard = Guard(
        app,
        token=TOKEN,
        token_from="in the test",
        answer=lambda refusal: PlainTextResponse(refusal.message, refusal.status),
        allowance=Allowance(origins=frozenset({FRIEND})),
    )
    return TestClient(guard, base_url="http://127.0.0.1:1234")


def cors(headers: object) -> dict[str, str]:
    return {name: value for name, value in dict(headers).items() if name.startswith("access-control")}  # type: ignore[call-overload]


def test_J13_an_allowed_page_may_ask_with_the_key_and_read_the_answer(client: TestClient) -> None:
    preflight = client.options("/x", headers={"Origin": FRIEND, **ASKING})
    answer = client.post("/x", headers={"Origin": FRIEND, **KEY})

    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == FRIEND
    assert "authorization" in preflight.headers["access-control-allow-headers"]
    assert answer.text == "read me"
    assert answer.headers["access-control-allow-origin"] == FRIEND
    assert answer.headers["vary"] == "Origin"


def test_J13_no_page_is_given_what_the_browser_holds_for_us(client: TestClient) -> None:
    for answer in (
        client.options("/x", headers={"Origin": FRIEND, **ASKING}),
        client.get("/x", headers={"Origin": FRIEND, **KEY}),
    ):
        assert "access-control-allow-credentials" not in answer.headers
        assert answer.headers["access-control-allow-origin"] != "*"


def test_J13_an_allowed_page_without_the_key_is_told_so(client: TestClient) -> None:
    answer = client.get("/x", headers={"Origin": FRIEND})

    assert answer.status_code == 401
    assert answer.headers["access-control-allow-origin"] == FRIEND


@pytest.mark.parametrize(
    "origin",
    ["https://localhost:5173", "http://localhost:5174", f"{FRIEND}.evil.example", "null", FRIEND.upper(), f"{FRIEND}/"],
)
def test_J13_an_origin_that_only_looks_allowed_is_403(client: TestClient, origin: str) -> None:
    for answer in (
        client.options("/x", headers={"Origin": origin, **ASKING}),
        client.post("/x", headers={"Origin": origin, "Content-Type": "text/plain", **KEY}),
        client.post("/x", headers=[("Origin", FRIEND), ("Origin", origin), *KEY.items()]),
    ):
        assert answer.status_code == 403
        assert cors(answer.headers) == {}


def test_J13_an_allowed_page_under_a_foreign_host_is_403(client: TestClient) -> None:
    answer = client.get("/x", headers={"Host": "rebound.example", "Origin": FRIEND, **KEY})

    assert answer.status_code == 403
    assert cors(answer.headers) == {}


def test_an_answer_to_a_program_has_no_cors_header(client: TestClient) -> None:
    assert cors(client.get("/x", headers=KEY).headers) == {}
