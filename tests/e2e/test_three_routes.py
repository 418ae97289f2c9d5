"""Row F25: the command line, the editor's messages and HTTP start the same run and refuse the same things.

The runs wait for a day that never comes, so that nothing is trained.
"""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from peft_daemon.runs import commands
from peft_daemon.runs.launch import launch
from peft_daemon.runs.store import find_runs
from peft_daemon.runs.store.database import STORE
from peft_engine.queue.slots import Slot, take
from peft_engine.rundir import RunDirectory, find_run, list_runs
from peft_schemas import PROTOCOL_VERSION, __version__
from peft_schemas.errors import WorkbenchError
from peft_schemas.records import RunQuery
from tests.e2e.conftest import PEFTW, Peftw
from tests.lsp.client import Client
from tests.waiting import wait_until

WAITING = "schedule: {not_before: '2999-01-01T00:00', priority: 3}\n"
Route = Callable[[str], str]


@pytest.fixture
def waiting(config: Path) -> Path:
    config.write_text(config.read_text() + WAITING)
    return config


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    process = subprocess.Popen([PEFTW, "api", "--json"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    served = json.loads(process.stdout.readline())
    headers = {"Authorization": f"Bearer {served['token']}"}
    with httpx.Client(base_url=served["url"], headers=headers, timeout=120, trust_env=False) as client:
        yield client
    process.terminate()
    assert process.wait(60) == 0, "it ends well on SIGTERM"


@pytest.fixture
def editor() -> Iterator[Client]:
    client = Client()
    options = {"extension_version": __version__, "protocol": PROTOCOL_VERSION, "python": sys.executable}
    client.initialize(initializationOptions=options)
    yield client
    client.kill()


@pytest.fixture(autouse=True)
def no_run_is_left(home: Path) -> Iterator[None]:
    yield
    for run in list_runs():
        with suppress(WorkbenchError):
            commands.cancel(run)


def ask(editor: Client, method: str, params: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = editor.request(method, params)["result"]
    return answer


def record(run: RunDirectory) -> dict[str, Any]:
    """Return all that a run's directory holds once its worker waits, without what is another in each run."""
    wait_until(lambda: run.read_state().detail is not None)
    state = run.read_state().model_dump(
        exclude={"run_id", "pid", "started", "created", "updated", "queued", "queued_uptime"}
    )
    events = [json.loads(line) for line in run.events.read_text().splitlines()]
    return {
        "state": state,
        "events": [{name: value for name, value in event.items() if name != "time"} for event in events],
        "control": run.read_control().model_dump(),
        "source": run.source.read_text(),
        "resolved": json.loads(run.resolved.read_text()),
        "files": sorted(path.name for path in run.path.iterdir()),
    }


def rows(run_id: str) -> dict[str, Any]:
    """Return all that the index has of a run, without what is another in each run."""
    find_runs(RunQuery())
    with STORE.connect() as db:
        db.row_factory = sqlite3.Row
        found = dict(db.execute("SELECT * FROM runs WHERE id = ?", (run_id,)).fetchone())
        key = found["key"]
        # Whether its series were read yet depends on who looked first.
        for name in ("key", "id", "stamp", "inode", "mark", "created", "updated", "summary", "fold", "charted"):
            del found[name]
        for table in ("tags", "latest", "series", "artifacts", "costs"):
            kept = map(dict, db.execute(f"SELECT * FROM {table} WHERE run = ?", (key,)))
            found[table] = [{name: row[name] for name in row if name not in ("run", "key")} for row in kept]
        events = db.execute("SELECT seq, type, body FROM events WHERE run = ? ORDER BY seq", (key,))
        found["events"] = [(seq, type_, json.loads(body) | {"time": None}) for seq, type_, body in events]
    return found


def test_F25_the_three_routes_make_the_same_record_and_the_same_rows_of_the_same_config(
    waiting: Path, peftw: Peftw, http: httpx.Client, editor: Client
) -> None:
    starts: list[Route] = [
        lambda path: str(json.loads(peftw("run", path, "--detach").stdout)["run_id"]),
        lambda path: str(ask(editor, "peft/run/start", {"path": path})["run"]["id"]),
        lambda path: str(http.post("/runs", json={"path": path}).json()["id"]),
    ]
    records, indexed = [], []
    for start in starts:
        run = find_run(start(str(waiting)))
        records.append(record(run))
        indexed.append(rows(run.id))
        # Or the next would be its twin.
        commands.cancel(run)
    assert records[0] == records[1] == records[2]
    assert indexed[0] == indexed[1] == indexed[2]
    assert (indexed[0]["state"], [event[1] for event in indexed[0]["events"]]) == ("queued", ["state"])
    assert records[0]["state"]["priority"] == 3
    assert "2999-01-01 00:00" in records[0]["state"]["detail"]


def test_F25_the_three_routes_move_runs_in_one_queue(
    config: Path, peftw: Peftw, http: httpx.Client, editor: Client
) -> None:
    held = take("cpu", 1, "somebody-1")
    assert isinstance(held, Slot)
    written = config.read_text()
    runs = []
    for name in ("one", "two", "three"):
        config.write_text(written.replace("name: desk", f"name: {name}"))
        runs.append(launch(config, python=sys.executable).id)
    one, two, three = runs
    moved = peftw("runs", "move", three, "first", "--json")
    assert json.loads(moved.stdout)["waiting"] == [three, one, two]
    assert ask(editor, "peft/run/move", {"run_id": one, "to": "down"})["waiting"] == [three, two, one]
    assert http.post(f"/runs/{one}/move", json={"to": "first"}).json()["id"] == one
    assert peftw("runs", "move", three, "last").stdout.split() == ["1", one, "2", two, "3", three]

    commands.cancel(find_run(three))
    refused = peftw("runs", "move", three, "first")
    assert (refused.returncode, "no place among the runs that wait" in refused.stderr) == (1, True)
    assert ask(editor, "peft/run/move", {"run_id": three, "to": "first"})["error"]["code"] == "move-illegal"
    assert http.post(f"/runs/{three}/move", json={"to": "first"}).status_code == 409
    assert http.post(f"/runs/{two}/move", json={"to": "sideways"}).status_code == 422
    for run_id in (one, two):
        commands.cancel(find_run(run_id))
    held.release()


def test_F25_the_three_routes_show_one_run_alike_and_hand_it_to_each_other(
    waiting: Path, peftw: Peftw, http: httpx.Client, editor: Client
) -> None:
    run_id = http.post("/runs", json={"path": str(waiting)}).json()["id"]
    record(find_run(run_id))

    def state() -> str:
        shown = [
            json.loads(peftw("runs", "show", run_id, "--json").stdout),
            ask(editor, "peft/run/show", {"run_id": run_id})["run"],
            http.get(f"/runs/{run_id}").json(),
        ]
        assert shown[0] == shown[1] == shown[2]
        return str(shown[0]["state"])

    assert json.loads(peftw("runs", "pause", run_id, "--json").stdout)["state"] == "paused"
    assert state() == "paused"
    assert http.post(f"/runs/{run_id}/resume").json()["state"] == "queued"
    run = find_run(run_id)
    record(run)
    assert ask(editor, "peft/run/stop", {"run_id": run_id})["error"] is None
    wait_until(lambda: run.read_state().state == "stopped")
    assert json.loads(peftw("runs", "resume", run_id, "--json").stdout)["state"] == "queued"
    assert ask(editor, "peft/run/cancel", {"run_id": run_id, "remove": True})["run"]["state"] == "cancelled"
    assert state() == "cancelled"
    events = [json.loads(line) for line in http.get(f"/runs/{run_id}/events").text.splitlines()]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))


def test_F25_the_three_routes_refuse_alike(waiting: Path, peftw: Peftw, http: httpx.Client, editor: Client) -> None:
    text = waiting.read_text()
    waiting.write_text(text.replace("batch_size: 1", "batch_size: 0"))
    by_cli = json.loads(peftw("run", waiting, "--json").stdout)
    by_editor = ask(editor, "peft/run/start", {"path": str(waiting)})
    by_http = http.post("/runs", json={"path": str(waiting)}).json()["error"]
    assert by_cli["findings"] == by_editor["findings"] == by_http["findings"]
    assert by_cli["error"] == by_editor["error"] == {name: by_http[name] for name in ("code", "message", "remedy")}

    waiting.write_text(text)
    run_id = http.post("/runs", json={"path": str(waiting)}).json()["id"]
    record(find_run(run_id))
    second = [
        json.loads(peftw("run", waiting, "--json").stdout)["error"],
        ask(editor, "peft/run/start", {"path": str(waiting)})["error"],
        http.post("/runs", json={"path": str(waiting)}).json()["error"],
    ]
    assert second[0] == second[1] == second[2]
    assert second[0]["code"] == "run-active"

    peftw("runs", "cancel", run_id)
    refused = [
        peftw("runs", "resume", run_id).stderr,
        ask(editor, "peft/run/resume", {"run_id": run_id})["error"]["message"],
        http.post(f"/runs/{run_id}/resume").json()["error"]["message"],
    ]
    assert refused[1] == refused[2] == f"Run {run_id} is cancelled, so it cannot be resumed."
    assert refused[1] in " ".join(refused[0].split())


def test_runs_of_one_name_whose_configs_differ_wait_behind_each_other(waiting: Path) -> None:
    first = launch(waiting)
    waiting.write_text(waiting.read_text().replace("max_steps: 2", "max_steps: 3"))
    second = launch(waiting)
    assert (first.id, second.id) == ("desk-1", "desk-2")
    with pytest.raises(WorkbenchError, match="Run desk-2 of this very config is queued already"):
        launch(waiting)
