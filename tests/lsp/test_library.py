"""The run store as an editor reaches it."""

from pathlib import Path
from typing import Any

from tests.lsp.client import Client
from tests.unit.store.conftest import make_run_directory


def test_runs_are_found_drawn_noted_versioned_and_moved_over_the_protocol(client: Client, tmp_path: Path) -> None:
    def ask(method: str, **params: Any) -> Any:
        return client.request(method, params)["result"]

    first, second = make_run_directory(losses=[2.0, 0.5]), make_run_directory(state="failed", losses=[3.0])
    found = ask("peft/runs/find", where=[{"key": "loss", "op": "<", "value": 1.0}])
    assert ([run["id"] for run in found["runs"]], found["total"]) == ([first.id], 1)
    (series,) = ask("peft/run/series", run_id=first.id, metrics=["loss"])["series"]
    assert (series["steps"], series["values"]) == ([1, 2], [2.0, 0.5])
    assert [one["version"] for one in ask("peft/runs/versions")["versions"]] == ["1.0.0"]
    assert ask("peft/run/artifacts", run_id=first.id)["artifacts"][0]["present"] is True
    assert ask("peft/run/note", run_id=first.id, tags=["best"])["tags"] == ["best"]
    assert ask("peft/run/note", run_id=first.id, pinned=True) == {"pinned": True, "tags": ["best"], "text": ""}
    offered = {item["id"] for item in ask("peft/runs/cleanup")["items"]}
    assert offered == {second.id}
    assert ask("peft/runs/clean", ids=[first.id, second.id])["removed"] == [second.id]
    bundle = str(tmp_path / "demo.zip")
    assert ask("peft/run/export", run_id=first.id, path=bundle)["run_id"] == first.id
    assert ask("peft/runs/import", path=bundle)["run"]["name"] == "demo"


def test_G1_a_long_run_is_followed_from_a_history_of_few_points(client: Client) -> None:
    losses: list[float | None] = [1.0 + (step % 7) / 10 for step in range(500)]
    run = make_run_directory(losses=losses)
    client.request("peft/run/note", {"run_id": run.id, "text": "a long one"})
    answer = client.request("peft/run/subscribe", {"run_id": run.id, "points": 20})["result"]
    series = {one["metric"]: one for one in answer["series"]}
    assert (series["loss"]["total"], series["loss"]["steps"][-1]) == (500, 500)
    assert len(series["loss"]["steps"]) <= 20
    assert (answer["last_seq"], [event["type"] for event in answer["events"]]) == (501, ["completed"])
    assert (answer["run"]["step"], answer["run"]["notes"]["text"]) == (500, "a long one")
    again = client.request("peft/run/subscribe", {"run_id": run.id, "after_seq": 499})["result"]
    assert ([event["seq"] for event in again["events"]], again["series"]) == ([500, 501], [])


def test_H22_an_editor_is_told_when_space_is_low(fresh: Client, home: Path) -> None:
    (home / "settings.yaml").write_text("retention: {free_gb: 1000000000}")
    run = make_run_directory(state="failed")
    fresh.initialize()
    plan = fresh.notified("peft/disk/low")
    assert plan["low"] is True
    assert [(item["id"], item["preselected"]) for item in plan["items"]] == [(run.id, False)]
    assert run.path.is_dir()


def test_an_error_of_the_store_is_a_sentence_with_a_remedy(client: Client) -> None:
    error = client.request("peft/run/series", {"run_id": "no-1"})["error"]
    assert error["data"]["code"] == "run-missing"
    assert client.request("peft/runs/import", {"path": "/nowhere.zip"})["error"]["data"]["code"] == "bundle-invalid"


def test_others_are_answered_while_the_index_of_many_runs_is_made(fresh: Client) -> None:
    for number in range(300):
        make_run_directory(f"demo{number % 7}", "failed")
    fresh.initialize()
    listing = fresh.begin("peft/runs/list", {})
    shown = fresh.begin("peft/run/show", {"run_id": "nobody-1"})
    order = [fresh.answered()["id"] for _ in range(2)]
    assert order == [shown, listing]
