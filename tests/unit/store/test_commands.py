"""`peftw runs …` over the store, as scripts call them."""

import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from peft_daemon.cli.main import _run
from peft_daemon.cli.output import FAILURE
from peft_daemon.cli.runs import app
from peft_daemon.runs.judge import settle
from peft_engine.rundir import EventLog, RunDirectory
from peft_schemas.errors import WorkbenchError
from peft_schemas.events import CheckpointEvent

MakeRun = Callable[..., RunDirectory]


def told(*arguments: str, code: int = 0) -> Any:
    """Run a command and return the JSON that it prints."""
    done = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


def test_list_takes_conditions_an_order_and_a_page(make_run: MakeRun) -> None:
    runs = [make_run(losses=[value]) for value in (3.0, 1.0, 2.0)]
    found = told("list", "--where", "loss<3", "--sort", "loss")
    assert [run["id"] for run in found["runs"]] == [runs[1].id, runs[2].id]
    assert found["total"] == 2
    assert [run["id"] for run in told("list", "--limit", "1")["runs"]] == [runs[2].id]


def test_series_prints_the_points_of_one_metric(make_run: MakeRun) -> None:
    run = make_run(losses=[float(step % 7) for step in range(100)])
    (series,) = told("series", run.id, "--metric", "loss", "--points", "20", "--from", "11", "--to", "90")["series"]
    assert series["total"] == 80
    assert len(series["steps"]) == len(series["values"]) <= 20
    assert (series["steps"][0], series["steps"][-1]) == (11, 90)
    assert (min(series["values"]), max(series["values"])) == (0.0, 6.0)


def test_files_tells_what_was_removed(make_run: MakeRun) -> None:
    run = make_run()
    (run.adapter / "adapter_model.safetensors").unlink()
    (artifact,) = told("files", run.id)["artifacts"]
    assert artifact["path"] == "adapter/adapter_model.safetensors"
    assert (artifact["present"], artifact["bytes"]) == (False, None)


@pytest.mark.parametrize("arguments", [["list"], ["series", "demo-1"], ["files", "demo-1"]])
def test_what_is_printed_for_people_names_the_run(make_run: MakeRun, arguments: list[str]) -> None:
    make_run(losses=[1.25])
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    assert {"list": "demo-1", "series": "1.25", "files": "adapter_model.safetensors"}[arguments[0]] in done.stdout


@pytest.mark.parametrize("command", ["list", "show"])
@pytest.mark.parametrize("base", ["/models/[old]/base", "/models/[/]/base"])
def test_a_path_is_printed_as_it_is_also_where_it_looks_like_a_style(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, command: str, base: str
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    run = make_run(base=base)
    done = CliRunner().invoke(app, [command, *([run.id] if command == "show" else [])], catch_exceptions=False)
    assert base in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["list", "--where", "loss<0"], "No run meets that."),
        (["list", "--sort", "speed"], "No run has a metric `speed` to sort by."),
        (["list", "--offset", "7"], "There are no more than 1 such run; a lower `--offset` shows them."),
        (["versions", "other"], "There are no versions of other yet: a run makes one when it completes."),
        (["series", "demo-1", "--metric", "speed"], "demo-1 has no metric speed; it has loss, tokens."),
    ],
)
def test_what_is_not_there_is_said(make_run: MakeRun, arguments: list[str], said: str) -> None:
    make_run()
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert (done.exit_code, done.stdout, done.stderr.strip()) == (0, "", said)


def test_a_run_that_made_nothing_says_so(make_run: MakeRun) -> None:
    run = make_run(state="failed", losses=[])
    for command, said in (("series", "Nothing was measured in"), ("files", "has made nothing yet")):
        assert said in CliRunner().invoke(app, [command, run.id], catch_exceptions=False).stderr


@pytest.mark.parametrize("command", [["show"], ["pause"], ["stop", "--force"], ["files"]])
def test_a_run_whose_state_is_damaged_is_mended_by_whoever_looks(make_run: MakeRun, command: list[str]) -> None:
    run = make_run()
    (run.path / "state.json").write_text('{"run_id": "de')
    done = CliRunner().invoke(app, [command[0], run.id, *command[1:]])
    assert run.read_state().state == "completed"
    if command == ["pause"]:
        assert isinstance(done.exception, WorkbenchError) and done.exception.code == "move-illegal"
    else:
        assert done.exit_code == 0


def test_a_checkpoint_that_was_removed_is_said_to_be(make_run: MakeRun) -> None:
    run = make_run(state="stopped")
    with EventLog(run.events) as log:
        log.append(CheckpointEvent, step=2, path="checkpoints/step-000002", sha256="a" * 64)
    (run.checkpoints / "step-000002").mkdir(parents=True)
    assert "step-000002\n" in CliRunner().invoke(app, ["show", run.id], catch_exceptions=False).stdout
    (run.checkpoints / "step-000002").rmdir()
    assert "step-000002, which is not here" in CliRunner().invoke(app, ["show", run.id], catch_exceptions=False).stdout


def test_versions_lists_what_changed_also_of_runs_whose_worker_was_killed_after_its_last_word(
    make_run: MakeRun,
) -> None:
    make_run(), make_run(data="b" * 64)
    found = told("versions", "demo")["versions"]
    assert [(one["version"], one["changed"]) for one in found] == [("1.1.0", ["data"]), ("1.0.0", [])]
    assert told("versions", "other")["versions"] == []


def test_notes_and_pins_are_kept_and_found(make_run: MakeRun) -> None:
    run = make_run()
    told("note", run.id, "Better on names.", "--tag", "best", "--tag", "names")
    told("pin", run.id)
    assert told("note", run.id, "--untag", "names") == {"pinned": True, "tags": ["best"], "text": "Better on names."}
    assert [one["id"] for one in told("list", "--where", "tag=best")["runs"]] == [run.id]
    assert told("pin", run.id, "--off")["pinned"] is False


def test_clean_removes_nothing_without_consent(make_run: MakeRun, home: Path) -> None:
    run = make_run(state="failed")
    (home / "settings.yaml").write_text("retention: {runs: {count: 0}}")
    plan = told("clean", "--dry-run")
    assert [(item["id"], item["preselected"]) for item in plan["items"]] == [(run.id, True)]
    assert told("clean")["removed"] == []
    assert run.path.is_dir()
    assert told("clean", "--yes") == {"removed": [run.id], "bytes": plan["bytes"], "kept": []}
    assert not run.path.exists()


def test_clean_takes_names_that_no_rule_names(make_run: MakeRun) -> None:
    run, other = make_run(state="failed"), make_run(state="failed")
    assert told("clean", run.id, "--yes")["removed"] == [run.id]
    assert other.path.is_dir()


def test_an_experiment_goes_out_and_comes_in(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    manifest = told("export", run.id, str(tmp_path / "demo.zip"))
    assert "adapter/adapter_model.safetensors" in [file["path"] for file in manifest["files"]]
    assert told("import", str(tmp_path / "demo.zip"))["id"] == "demo-2"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small disk")
@pytest.mark.parametrize("command", [["note", "demo-1", "Better."], ["pin", "demo-1"], ["pause", "demo-1"]])
def test_a_command_on_a_full_disk_says_so(
    make_run: MakeRun,
    home: Path,
    small_disk: Callable[[Path, str], None],
    capsys: pytest.CaptureFixture[str],
    command: list[str],
) -> None:
    small_disk(home, "size=128k")
    make_run(state="queued" if command[0] == "pause" else "stopped")
    with suppress(OSError):
        (home / "filler").write_bytes(bytes(1 << 20))
    assert _run(["runs", *command], debug=False) == FAILURE
    said = capsys.readouterr().err
    assert "disk-full" in said and "Free some space" in said


def test_a_file_that_may_not_be_used_is_named(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run()
    (run.path / "notes.json").mkdir()
    assert _run(["runs", "pin", run.id], debug=False) == FAILURE
    said = capsys.readouterr().err
    assert "notes.json" in said and "Is a directory" in said and "went wrong" not in said


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small disk")
def test_a_worker_that_ended_on_a_full_disk_is_not_said_to_have_been_killed(
    make_run: MakeRun, home: Path, small_disk: Callable[[Path, str], None]
) -> None:
    small_disk(home, "size=256k")
    run = make_run(state="running")
    long_ago = "2026-01-01T00:00:00.000Z"
    run.write_state(run.read_state().model_copy(update={"created": long_ago}))
    with suppress(OSError):
        (home / "filler").write_bytes(bytes(1 << 20))
    error = settle(run).error
    assert error is not None and error.code == "disk-full"
    assert "Free some space" in error.remedy and f"peftw runs resume {run.id}" in error.remedy
