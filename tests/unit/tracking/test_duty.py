"""Whoever sends measurements: told once of an outage, patient with the server, and never two at a time."""

import asyncio
import threading
import time
from itertools import pairwise

import pytest

from peft_connectors.mlflow import MlflowTracker
from peft_connectors.tracker import TrackerRefused
from peft_daemon.tracking.connect import connect
from peft_daemon.tracking.duty import RunSender, TrackerDuty, send_forever, tracked_runs
from peft_daemon.tracking.send import send_missing
from peft_engine.rundir.tracking import lay_out_tracker, read_tracker, sending_of
from peft_schemas.config import TrackerConfig
from tests.mlflow_server import MlflowStandIn
from tests.unit.store.conftest import make_run_directory
from tests.unit.tracking.conftest import measure, tracked
from tests.waiting import PATIENCE


def sent_steps(server: MlflowStandIn) -> list[int]:
    (run,) = server.runs.values()
    return [step for step, _ in run.series()["loss"]]


def test_an_outage_is_told_once_and_so_is_its_end(server: MlflowStandIn) -> None:
    run, now = tracked(server.url), [0.0]
    duty = TrackerDuty(connect, lambda: now[0])
    told = []
    server.faults = ["deaf", "busy", "deaf"]
    for _ in range(60):
        now[0] += 1
        told += [file.problem for file in duty.look([run])]
    assert sent_steps(server) == [1, 2]
    assert [problem and "cannot be reached" in problem for problem in told[:1]] == [True]
    assert told[-1] is None
    assert len(told) <= 4, "once for each thing that is wrong"
    file = read_tracker(run)
    assert file is not None and (file.problem, file.state) == (None, "completed")


def test_a_server_that_is_away_is_asked_ever_more_seldom(server: MlflowStandIn) -> None:
    run, now = tracked(server.url), [0.0]
    duty = TrackerDuty(connect, lambda: now[0])
    server.faults = ["deaf"] * 1000
    asked = []
    for _ in range(1200):
        now[0] += 1
        before = len(server.requests)
        duty.look([run])
        if len(server.requests) > before:
            asked.append(now[0])
    waits = [later - earlier for earlier, later in pairwise(asked)]
    assert waits == [5, 10, 20, 40, 80, 160, 300, 300]


def test_what_has_everything_is_not_asked_about_again(server: MlflowStandIn) -> None:
    run = tracked(server.url)
    duty = TrackerDuty()
    for _ in range(5):
        duty.look([run])
    asked = len(server.requests)
    duty.look([run])
    assert len(server.requests) == asked


def test_of_two_who_send_at_once_one_does(server: MlflowStandIn) -> None:
    run = tracked(server.url)
    with sending_of(run) as ours:
        assert ours
        assert send_missing(run, connect) is None
    assert server.requests == []
    threads = [threading.Thread(target=send_missing, args=(run, connect)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sent_steps(server) == [1, 2]


def test_a_run_that_has_only_begun_is_not_told_of(server: MlflowStandIn) -> None:
    run = make_run_directory(state="running", losses=[])
    lay_out_tracker(run, TrackerConfig(type="mlflow", url=server.url))
    send_missing(run, connect)
    assert server.requests == []
    measure(run, 1)
    send_missing(run, connect)
    assert sent_steps(server) == [1]


def test_a_log_that_is_another_now_is_sent_as_a_new_copy(server: MlflowStandIn) -> None:
    run = tracked(server.url)
    send_missing(run, connect)
    run.events.unlink()
    measure(run, 7)
    send_missing(run, connect)
    (counts,) = server.counting()
    assert list(counts.series().items()) == [("loss", [(7, "0.5")])]


def test_the_foreground_sends_all_before_it_leaves(server: MlflowStandIn) -> None:
    run, told = tracked(server.url), list[str]()
    with RunSender(run, told.append):
        measure(run, 3)
    assert (sent_steps(server), told) == ([1, 2, 3], [])


def test_the_foreground_names_the_way_to_send_what_could_not_be_sent() -> None:
    run, told = tracked("http://127.0.0.1:9"), list[str]()
    with RunSender(run, told.append):
        pass
    assert "cannot be reached" in told[0]
    assert told[-1] == f"not everything was sent; `peftw runs track {run.id}` sends the rest"


def test_only_runs_whose_configs_name_a_tracker_are_looked_at(server: MlflowStandIn) -> None:
    make_run_directory()
    assert tracked_runs() == []
    run = tracked(server.url)
    assert tracked_runs() == [run]


def test_the_token_goes_to_the_server_that_it_is_for(server: MlflowStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "open-sesame")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://tracker.example.org")
    send_missing(tracked(server.url), connect)
    assert not any("authorization" in headers for _, headers, _ in server.requests)
    server.token = "open-sesame"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"{server.url}/")
    run = tracked(server.url)
    send_missing(run, connect)
    file = read_tracker(run)
    assert file is not None and file.problem is None
    assert "sesame" not in "".join(path.read_text() for path in run.path.iterdir() if path.is_file())


@pytest.mark.parametrize("url", ["ftp://h", "http://", "http://me:pw@h", "http://h:port", "h:1"])
def test_an_address_that_is_none_is_refused_without_repeating_it(url: str) -> None:
    file = read_tracker(tracked(url))
    assert file is not None
    with pytest.raises(TrackerRefused) as refused:
        connect(file)
    assert "pw" not in refused.value.message


def test_a_connection_is_one_to_mlflow(server: MlflowStandIn) -> None:
    file = read_tracker(tracked(server.url))
    assert file is not None
    with connect(file) as tracker:
        assert isinstance(tracker, MlflowTracker)


async def test_the_daemon_sends_what_any_run_lacks(server: MlflowStandIn) -> None:
    run = tracked(server.url)
    work = asyncio.create_task(send_forever())
    deadline = time.monotonic() + PATIENCE
    while (file := read_tracker(run)) is not None and file.state != "completed" and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    work.cancel()
    assert sent_steps(server) == [1, 2]
