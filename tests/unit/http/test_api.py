"""The HTTP API without a network: its guard, its bodies, and what it says of errors."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from peft_daemon.http.app import build_app
from peft_engine.rundir import EventLog, EventTail, RunDirectory, create_run_directory
from peft_engine.rundir.directory import now
from peft_schemas.events import CompletedEvent, ControlFile, MetricEvent, PausedEvent, RunState, StateFile

TOKEN = "correct-horse"
ROUTES = [
    ("GET", "/runs"),
    ("POST", "/runs"),
    ("GET", "/runs/demo-1"),
    ("GET", "/runs/demo-1/events"),
    *(("POST", f"/runs/demo-1/{command}") for command in ("pause", "resume", "stop", "cancel", "recover")),
    ("GET", "/nowhere"),
]
MakeRun = Callable[..., RunDirectory]


@pytest.fixture
def client(home: Path) -> Iterator[TestClient]:
    app = build_app(token=TOKEN, python=sys.executable)
    with TestClient(app, base_url="http://127.0.0.1:1234", raise_server_exceptions=False) as client:
        client.headers["Authorization"] = f"Bearer {TOKEN}"
        yield client


@pytest.fixture
def make_run(home: Path) -> MakeRun:
    def make(state: RunState) -> RunDirectory:
        run = create_run_directory("demo")
        run.write_control(ControlFile())
        run.write_state(
            StateFile(
                run_id=run.id,
                name="demo",
                state=state,
                pid=None,
                started=None,
                created=now(),
                updated=now(),
                base="org/base",
                config_path="/nowhere/demo.peft.yaml",
                step=3,
                total_steps=10,
            )
        )
        return run

    return make


def paused(run: RunDirectory) -> None:
    with EventLog(run.events) as log:
        log.append(MetricEvent, step=3, epoch=0.1, values={"loss": 1.5}, eta_seconds=7.0)
        log.append(PausedEvent, step=3, checkpoint=None, elapsed_seconds=4.0, eta_seconds=7.0, values={"loss": 1.5})


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": ""}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Host": "example.com"}, 403),
        ({"Origin": "http://example.com"}, 403),
    ],
)
def test_no_route_answers_anyone_but_the_user(
    client: TestClient, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    answer = client.request(method, path, headers=headers)
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"code", "message", "remedy"}


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/runs", {}, "path"),
        ("/runs", {"path": 3}, "path"),
        ("/runs", {"path": "relative.peft.yaml"}, "path"),
        ("/runs", {"path": "/a.peft.yaml", "pat": 1}, "pat"),
        ("/runs", [], "body"),
        ("/runs/demo-1/pause", {"force": True}, "force"),
        ("/runs/demo-1/stop", {"force": "yes"}, "force"),
        ("/runs/demo-1/cancel", {"remove": 1}, "remove"),
        ("/runs/demo-1/resume", {"accept_changes": None}, "accept_changes"),
        ("/runs/demo-1/recover", {}, "action"),
        ("/runs/demo-1/recover", {"action": "pray"}, "action"),
    ],
)
def test_F25_a_bad_body_is_refused_with_its_field(
    client: TestClient, make_run: MakeRun, path: str, body: Any, field: str
) -> None:
    make_run("running")
    answer = client.post(path, json=body)
    assert answer.status_code == 422
    assert answer.json()["error"]["field"] == field
    assert answer.json()["error"]["message"].startswith(f"{field}: ")


def test_what_the_operating_system_refuses_is_said_in_words(client: TestClient, make_run: MakeRun) -> None:
    control = make_run("queued").path / "control.json"
    control.unlink()
    control.mkdir()
    answer = client.post("/runs/demo-1/pause")
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (500, "internal")
    assert "control.json" in error["message"] and "Is a directory" in error["message"]


def test_what_is_no_json_is_refused(client: TestClient) -> None:
    assert client.post("/runs", content=b"{").status_code == 422


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "offset=-1", "sort=name"])
def test_a_bad_query_is_refused(client: TestClient, query: str) -> None:
    assert client.get(f"/runs?{query}").status_code == 422


@pytest.mark.parametrize(("method", "path"), [route for route in ROUTES if "demo-1" in route[1]])
def test_an_unknown_run_is_said_to_be_unknown(client: TestClient, method: str, path: str) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "run-missing")


@pytest.mark.parametrize(
    ("state", "command", "status"),
    [
        ("completed", "pause", 409),
        ("completed", "cancel", 409),
        ("completed", "resume", 409),
        ("completed", "stop", 200),
        ("paused", "recover", 409),
        ("paused", "pause", 200),
        ("paused", "stop", 200),
        ("paused", "cancel", 200),
    ],
)
def test_a_command_that_cannot_be_is_a_conflict(
    client: TestClient, make_run: MakeRun, state: RunState, command: str, status: int
) -> None:
    run = make_run(state)
    body = {"action": "pause"} if command == "recover" else {}
    answer = client.post(f"/runs/{run.id}/{command}", json=body)
    assert answer.status_code == status
    if status == 409:
        assert answer.json()["error"]["code"] == "move-illegal"
        assert run.read_state().state == state


def test_a_paused_run_can_be_given_up_with_its_checkpoints(client: TestClient, make_run: MakeRun) -> None:
    run = make_run("paused")
    paused(run)
    (run.checkpoints / "step-000003").mkdir(parents=True)
    answer = client.post(f"/runs/{run.id}/cancel", json={"remove": True})
    assert answer.json()["state"] == "cancelled"
    assert not run.checkpoints.exists()
    last = EventTail(run.events).read()[-1]
    assert (last.type, last.removed) == ("cancelled", True)  # type: ignore[union-attr]


def test_the_events_of_a_run_that_rests_are_all_there_is(client: TestClient, make_run: MakeRun) -> None:
    run = make_run("paused")
    paused(run)
    lines = client.get(f"/runs/{run.id}/events").text.splitlines()
    assert lines == run.events.read_text().splitlines()
    assert client.get(f"/runs/{run.id}/events?after_seq=1").text.splitlines() == lines[1:]


def test_the_list_and_a_run_are_what_the_index_and_the_directory_say(client: TestClient, make_run: MakeRun) -> None:
    run = make_run("completed")
    with EventLog(run.events) as log:
        log.append(CompletedEvent, run_id=run.id, directory=str(run.path), step=3, adapter="adapter", gguf=None)
    shown = client.get(f"/runs/{run.id}").json()
    assert (shown["id"], shown["state"], shown["adapter"]) == (run.id, "completed", "adapter")
    assert client.get("/runs").json() == {"runs": [shown], "total": 1}


def test_a_config_with_errors_is_refused_with_its_findings(client: TestClient, tmp_path: Path) -> None:
    path = tmp_path / "a.peft.yaml"
    path.write_text("version: 1\n")
    answer = client.post("/runs", json={"path": str(path)})
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["code"] == "config-invalid"
    assert {finding["code"] for finding in error["findings"]}
    missing = client.post("/runs", json={"path": str(tmp_path / "none.peft.yaml")})
    assert (missing.status_code, missing.json()["error"]["code"]) == (422, "config-missing")
