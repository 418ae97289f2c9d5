"""How far a tracker is, as lists and panels are told."""

from peft_daemon.runs.follow import summarise
from peft_daemon.runs.store import all_runs
from peft_daemon.runs.watch import RunWatch
from peft_daemon.tracking.connect import connect
from peft_daemon.tracking.send import send_missing
from peft_engine.rundir import RunDirectory
from peft_schemas.runs import RunSummary
from peft_schemas.tracking import RunTracker
from tests.mlflow_server import MlflowStandIn
from tests.unit.store.conftest import make_run_directory
from tests.unit.tracking.conftest import measure, tracked


def shown(run: RunDirectory) -> RunTracker:
    tracker = summarise(run).tracker
    assert tracker is not None
    return tracker


def test_a_run_without_a_tracker_has_none_to_show() -> None:
    assert summarise(make_run_directory()).tracker is None


def test_what_is_missing_is_counted_in_steps(server: MlflowStandIn) -> None:
    run = tracked(server.url, [2.0, 1.0, 0.5])
    before = shown(run)
    assert (before.complete, before.missing_steps, before.page) == (False, 3, None)
    send_missing(run, connect)
    (id_,) = server.runs
    assert shown(run) == RunTracker(
        type="mlflow", page=f"{server.url}/#/runs/{id_}", complete=True, missing_steps=0, problem=None, since=None
    )
    measure(run, 9)
    assert (shown(run).complete, shown(run).missing_steps) == (False, 6)


def test_an_outage_has_a_reason_and_one_beginning_until_it_ends(server: MlflowStandIn) -> None:
    run = tracked(server.url)
    server.faults = ["deaf", "busy"]
    send_missing(run, connect)
    first = shown(run)
    assert first.problem is not None and "cannot be reached" in first.problem
    assert first.since is not None
    send_missing(run, connect)
    second = shown(run)
    assert second.problem is not None and "status 503" in second.problem
    assert second.since == first.since
    send_missing(run, connect)
    assert (shown(run).complete, shown(run).problem, shown(run).since) == (True, None, None)


def test_an_address_under_a_path_leads_to_the_run(server: MlflowStandIn) -> None:
    run = tracked(f"{server.url}/")
    send_missing(run, connect)
    page = shown(run).page
    assert page is not None and page.startswith(f"{server.url}/#/runs/")


def test_a_run_that_rests_is_told_of_when_its_tracker_is_another_way(server: MlflowStandIn) -> None:
    run, told = tracked(server.url), list[RunSummary]()
    watch = RunWatch(told.extend, lambda _run, _events: None)
    watch.look()
    send_missing(run, connect)
    watch.look()
    assert [one.tracker.complete for one in told if one.tracker] == [False, True]
    (listed,) = all_runs()
    assert listed.tracker == told[-1].tracker
