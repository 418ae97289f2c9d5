"""What a run leaves behind to be made again, found again and told apart."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

from peft_daemon.runs.store import find_runs, read_series
from peft_engine.files import sha256
from peft_engine.rundir import RunDirectory
from peft_engine.versions import list_versions, read_version
from peft_schemas.records import RunQuery, SeriesParams
from tests.integration.training.workshop import Workshop, finished, losses, of
from tests.waiting import PATIENCE


def again(workshop: Workshop, run: RunDirectory) -> RunDirectory:
    """Lay out another run from nothing but what a run recorded."""
    record = json.loads(run.environment.read_text())
    config = json.loads(run.resolved.read_text())["config"]
    for dataset in record["datasets"]:
        assert sha256(Path(dataset["path"])) == dataset["sha256"]
    rerun = workshop.make()
    rerun.resolved.write_text(run.resolved.read_text())
    assert config["training"]["seed"] == record["seed"]
    return rerun


def test_H4_a_rerun_from_the_record_has_the_same_losses_and_is_a_patch_of_the_version(workshop: Workshop) -> None:
    subprocess.run(["git", "init", "-q", str(workshop.folder)], check=True)
    run = workshop.make(training={"max_steps": 6, "seed": 7, "packing": True}, method={"dropout": 0.1})
    assert finished(run).type == "completed"
    record = json.loads(run.environment.read_text())
    assert {"python", "packages", "seed", "threads", "git", "base", "datasets", "hardware"} <= record.keys()
    assert record["packages"]["torch"] and record["hardware"]["cpu"]
    rerun = again(workshop, run)
    assert finished(rerun).type == "completed"
    assert losses(rerun) == losses(run)
    first, second = read_version(run), read_version(rerun)
    assert first is not None and second is not None
    assert (first.version, second.version, second.parent, second.changed) == ("1.0.0", "1.0.1", "1.0.0", [])
    assert first.config_sha256 == second.config_sha256
    assert first.metrics["loss"] == losses(run)[-1]


def test_H18_only_a_completed_run_makes_a_version_and_its_hashes_hold(workshop: Workshop) -> None:
    failed = workshop.make(method={"target_modules": ["no_such_layer"]})
    assert finished(failed).type == "failed"
    done = workshop.make(training={"max_steps": 2})
    assert finished(done).type == "completed"
    assert read_version(failed) is None
    (version,) = list_versions("demo")
    assert (version.run_id, version.version) == (done.id, "1.0.0")
    assert version.artifacts and all(sha256(done.path / name) == hash_ for name, hash_ in version.artifacts.items())
    workshop.dataset(count=20)
    other = workshop.make(training={"max_steps": 2})
    assert finished(other).type == "completed"
    assert [(one.version, one.changed) for one in list_versions("demo")] == [("1.1.0", ["data"]), ("1.0.0", [])]
    # The highest number is not given twice, even when its run is gone.
    shutil.rmtree(other.path)
    last = workshop.make(training={"max_steps": 2})
    assert finished(last).type == "completed"
    assert [one.version for one in list_versions("demo")] == ["1.1.1", "1.0.0"]


def test_H19_another_process_reads_the_version_that_was_written_and_what_it_holds_is_so(workshop: Workshop) -> None:
    runs = [workshop.make(training={"max_steps": 2, "seed": seed}) for seed in (1, 2)]
    assert all(finished(run).type == "completed" for run in runs)
    command = [sys.executable, "-m", "peft_daemon", "runs", "versions", "demo", "--json"]
    told = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=PATIENCE).stdout)["versions"]
    records = [read_version(run) for run in reversed(runs)]
    assert told == [record.model_dump(mode="json") for record in records if record is not None]
    for one, run in zip(told, reversed(runs), strict=True):
        assert one["config"] == json.loads(run.resolved.read_text())["config"]
        text = json.dumps(one["config"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert hashlib.sha256(text.encode()).hexdigest() == one["config_sha256"]
        assert one["metrics"]["loss"] == losses(run)[-1]
        assert one["completed"] == of(run, "completed")[0].time
        assert one["artifacts"] == {name: sha256(run.path / name) for name in one["artifacts"]} != {}
        assert list(one["data"].values()) == [sha256(workshop.folder / "train.jsonl")]
    assert [one["parent"] for one in told] == ["1.0.0", None]


def test_H5_the_store_has_the_series_that_the_worker_wrote(workshop: Workshop) -> None:
    run = workshop.make(training={"max_steps": 5}, evaluation={"split": 0.2, "every_steps": 2})
    assert finished(run).type == "completed"
    series = read_series(SeriesParams(run_id=run.id))
    stored = {one.metric: dict(zip(one.steps, one.values, strict=True)) for one in series}
    for event in of(run, "metric"):
        assert {metric: stored[metric][event.step] for metric in event.values} == event.values
    for event in of(run, "evaluation"):
        assert {name: stored[f"eval_{name}"][event.step] for name in event.values} == event.values
    (summary,) = find_runs(RunQuery()).runs
    assert (summary.id, summary.state, summary.metrics["loss"]) == (run.id, "completed", losses(run)[-1])
