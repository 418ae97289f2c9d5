"""The limit of requests a minute, with a clock of its own."""

from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from peft_engine.loopback.guard import Allowance, Guard
from peft_engine.loopback.rate import RateLimit
from tests.property.strategies import examples

KEY = {"Authorization": "Bearer correct-horse"}


class Clock:
    """Seconds that only the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def guarded(clock: Clock, per_minute: int) -> TestClient:
    app = Starlette(routes=[Route("/x", lambda _: PlainTextResponse(""), methods=["GET", "POST"])])
    limit = RateLimit(per_minute, clock=clock)
    guard = Guard(
        app,
        token="correct-horse",
        token_from="in the test",
        answer=lambda refusal: PlainTextResponse(refusal.message, refusal.status, headers=refusal.headers),
        allowance=Allowance(limit=limit, counts=lambda method, _: method == "POST"),
    )
    return TestClient(guard, base_url="http://127.0.0.1:1")


def test_J12_one_request_too_many_is_429_and_says_when_to_come_back() -> None:
    clock = Clock()
    client = guarded(clock, 2)

    statuses = []
    for _ in range(3):
        answer = client.post("/x", headers=KEY)
        statuses.append(answer.status_code)
        clock.now += 10
    assert statuses == [200, 200, 429]
    assert answer.headers["retry-after"] == "40"

    clock.now = 1000 + 60
    assert client.post("/x", headers=KEY).status_code == 200


def test_J12_what_costs_nothing_and_who_has_no_key_is_not_counted() -> None:
    client = guarded(Clock(), 1)

    assert [client.get("/x", headers=KEY).status_code for _ in range(3)] == [200] * 3
    assert [client.post("/x").status_code for _ in range(3)] == [401] * 3
    assert client.post("/x", headers=KEY).status_code == 200


def test_J12_addresses_are_counted_apart() -> None:
    limit = RateLimit(1, clock=Clock())

    assert limit.count("127.0.0.1") == 0
    assert limit.count("10.0.0.2") == 0
    assert limit.count("127.0.0.1") == 60


@examples(60)
@given(per_minute=st.integers(1, 5), waits=st.lists(st.floats(0, 40), max_size=30))
def test_J12_no_minute_has_more_and_the_promised_moment_is_right(per_minute: int, waits: list[float]) -> None:
    clock = Clock()
    limit = RateLimit(per_minute, clock=clock)
    granted: list[float] = []
    for wait in waits:
        clock.now += wait
        seconds = limit.count("me")
        if seconds == 0:
            granted.append(clock.now)
            assert len([one for one in granted if one > clock.now - 60]) <= per_minute
        else:
            clock.now += seconds
            assert limit.count("me") == 0
            granted.append(clock.now)
