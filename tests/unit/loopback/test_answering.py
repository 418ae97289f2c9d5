"""Whether something listens at an address: told for this machine alone, and only where it can be known."""

import socket

import pytest

from peft_engine.loopback import answering
from peft_engine.loopback.answering import is_answering


@pytest.fixture
def port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_A7_a_server_that_listens_answers_and_one_that_ended_does_not(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://{host}:{listener.getsockname()[1]}/mlflow"
        assert is_answering(url) is True
    assert is_answering(url) is False


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://tracker.example.org",
            "http://10.0.0.1:5000",
            "http://127.0.0.1.example.org:5000",
            "http://localhost.:1",
        ),
        *("file:///mlruns", "127.0.0.1:5000", "http://:5000", "http://127.0.0.1:port", "http://127.0.0.1:99999", ""),
        *("http://127.0.0.1:0", "http://[::1", "http://\x00"),
    ],
)
def test_no_other_machine_is_asked_and_nothing_is_said_of_what_is_no_address(url: str, monkeypatch) -> None:
    monkeypatch.setattr(answering.socket, "create_connection", lambda *_, **__: pytest.fail("it was asked"))
    assert is_answering(url) is None


def test_a_server_that_is_too_busy_to_answer_is_not_said_to_be_away(port: int, monkeypatch) -> None:
    def too_late(*_: object, **__: object) -> None:
        raise TimeoutError

    monkeypatch.setattr(answering.socket, "create_connection", too_late)
    assert is_answering(f"http://127.0.0.1:{port}") is None
