"""Contract: what we say to MLflow is what its REST API takes, and what it refuses is said in a sentence."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from peft_connectors.mlflow import MlflowTracker
from peft_connectors.tracker import Beginning, Point, TrackerRefused, TrackerUnreachable
from tests.mlflow_server import MlflowStandIn

BEGINNING = Beginning(
    key="k1",
    name="demo-1",
    experiment="desk",
    time=1_700_000_000_000,
    params={f"section.key{i}": str(i) for i in range(150)},
    environment={"peftw.package.torch": "2.9"},
)


@pytest.fixture
def server() -> Iterator[MlflowStandIn]:
    with MlflowStandIn().serving() as server:
        yield server


def points(count: int) -> list[Point]:
    return [Point("loss", step, 1.0 / step, 1000 + step) for step in range(1, count + 1)]


def test_contract_a_run_is_begun_with_its_parameters_and_environment(server: MlflowStandIn) -> None:
    with MlflowTracker(server.url) as tracker:
        run = tracker.begin(BEGINNING)
    kept = server.runs[run]
    assert (kept.name, server.experiments[kept.experiment], kept.start) == ("demo-1", "desk", 1_700_000_000_000)
    assert kept.params == BEGINNING.params
    assert kept.tags["peftw.package.torch"] == "2.9"


def test_contract_a_run_whose_creation_was_not_answered_is_not_created_twice(server: MlflowStandIn) -> None:
    with MlflowTracker(server.url) as tracker:
        server.faults = [None, None, None, "mute"]
        with pytest.raises(TrackerUnreachable):
            tracker.begin(BEGINNING)
        assert len(server.runs) == 1
        assert tracker.begin(BEGINNING) in server.runs
    assert len(server.runs) == 1


def test_contract_many_points_go_in_batches_and_repeats_are_ignored(server: MlflowStandIn) -> None:
    with MlflowTracker(server.url) as tracker:
        run = tracker.begin(BEGINNING)
        tracker.log(run, points(1500))
        tracker.log(run, points(1500)[-10:])
    assert server.runs[run].series()["loss"] == [(point.step, repr(point.value)) for point in points(1500)]


def test_contract_a_value_that_is_no_number_arrives_as_one(server: MlflowStandIn) -> None:
    with MlflowTracker(server.url) as tracker:
        run = tracker.begin(BEGINNING)
        tracker.log(run, [Point("loss", 1, None, 5), Point("loss", 2, 1e-300, 6)])
    assert server.runs[run].series()["loss"] == [(1, "nan"), (2, "1e-300")]


@pytest.mark.parametrize(
    ("state", "status"), [("completed", "FINISHED"), ("failed", "FAILED"), ("cancelled", "KILLED")]
)
def test_contract_a_run_ends_as_it_ended(server: MlflowStandIn, state: str, status: str) -> None:
    with MlflowTracker(server.url) as tracker:
        run = tracker.begin(BEGINNING)
        tracker.enter(run, "paused", 6)
        assert (server.runs[run].status, server.runs[run].end) == ("SCHEDULED", None)
        tracker.enter(run, state, 7)  # type: ignore[arg-type]
    assert (server.runs[run].status, server.runs[run].end) == (status, 7)


def test_contract_an_earlier_copy_is_marked_and_kept(server: MlflowStandIn) -> None:
    with MlflowTracker(server.url) as tracker:
        run = tracker.begin(BEGINNING)
        tracker.supersede(run, "demo-1", "other")
    assert (server.runs[run].name, server.runs[run].tags["peftw.replaced_by"]) == ("demo-1 (replaced)", "other")


def test_contract_an_unknown_run_is_refused_in_the_servers_words(server: MlflowStandIn) -> None:
    with MlflowTracker(server.url) as tracker, pytest.raises(TrackerRefused, match="Run with id=nobody not found"):
        tracker.log("nobody", points(1))


def test_contract_a_server_that_is_busy_is_asked_again_later(server: MlflowStandIn) -> None:
    server.faults = ["busy"]
    with MlflowTracker(server.url) as tracker, pytest.raises(TrackerUnreachable, match="503"):
        tracker.begin(BEGINNING)


def test_contract_the_token_opens_the_server_and_stands_in_no_message(server: MlflowStandIn) -> None:
    server.token = "open-sesame"
    with MlflowTracker(server.url, token="open-sesame") as tracker:
        tracker.begin(BEGINNING)
    with MlflowTracker(server.url, token="wrong-sesame") as tracker, pytest.raises(TrackerRefused) as refused:
        tracker.begin(BEGINNING)
    assert "MLFLOW_TRACKING_TOKEN" in refused.value.remedy
    assert "sesame" not in refused.value.message + refused.value.remedy


def test_a_server_that_is_not_there_is_named() -> None:
    with MlflowTracker("http://127.0.0.1:9") as tracker, pytest.raises(TrackerUnreachable, match=r"127\.0\.0\.1:9 "):
        tracker.begin(BEGINNING)


@pytest.mark.parametrize(
    ("status", "headers", "content", "said"),
    [
        (302, {"location": "http://127.0.0.1:9/"}, b"", "another address"),
        (200, {}, b"<html>hello</html>", "no MLflow tracking server"),
        (404, {}, b"not found", "no MLflow tracking server"),
        (200, {}, b"[" * 100_000, "no MLflow tracking server"),
        (200, {}, b'{"experiment": 5}', "lacks experiment_id"),
        (200, {}, b" " * (5 << 20), "more than 4 MiB"),
    ],
)
def test_a_strangers_answer_is_a_sentence(status: int, headers: dict[str, str], content: bytes, said: str) -> None:
    class Stranger(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            with suppress(OSError):
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Stranger) as stranger:
        threading.Thread(target=stranger.handle_request, daemon=True).start()
        with (
            MlflowTracker(f"http://127.0.0.1:{stranger.server_port}") as tracker,
            pytest.raises((TrackerRefused, TrackerUnreachable), match=said),
        ):
            tracker.begin(BEGINNING)
