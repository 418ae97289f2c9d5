"""Every way a run can end, each told truthfully."""

import errno
import json
import os
import resource
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import save_file

from peft_engine.rundir import EventTail
from peft_engine.rundir.checkpoints import CheckpointStore, last_verified_checkpoint
from peft_engine.training import artifact
from peft_engine.training.reporter import Reporter
from peft_schemas.errors import WorkbenchError
from peft_schemas.events import ControlFile
from tests.integration.training.workshop import events, finished, of, start
from tests.waiting import wait_until

LONG = {"max_steps": 100_000, "num_epochs": 1.0}


def failed(run):
    end = finished(run)
    assert end.type == "failed"
    assert end.error == run.read_state().error
    assert not run.adapter.exists()
    assert run.read_manifest() is None
    return end.error


def test_a_stop_leaves_a_checkpoint_and_no_adapter(workshop, monkeypatch):
    run = workshop.make(training=LONG, checkpoint={"every_steps": 1000})
    count = Reporter.on_step_end

    def ask_at_step_three(self, args, state, control, **kwargs):
        if state.global_step == 3:
            run.write_control(ControlFile(command="stop"))
        return count(self, args, state, control, **kwargs)

    monkeypatch.setattr(Reporter, "on_step_end", ask_at_step_three)
    end = finished(run)
    assert (end.type, end.step, end.checkpoint) == ("stopped", 3, "checkpoints/step-000003")
    assert last_verified_checkpoint(run) == end.checkpoint
    assert [event.state for event in of(run, "state")][-1] == "stopping"
    assert not run.adapter.exists()


def test_a_stop_before_the_first_step_leaves_nothing(workshop):
    run = workshop.make()
    run.write_control(ControlFile(command="stop"))
    end = finished(run)
    assert (end.type, end.step, end.checkpoint) == ("stopped", 0, None)


def test_sigterm_is_a_stop(workshop):
    run = workshop.make(training=LONG, checkpoint={"every_steps": 100_000})
    worker = start(run)
    wait_until(lambda: of(run, "metric"), process=worker)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(120) == 0
    end = events(run)[-1]
    assert (end.type, run.read_state().state) == ("stopped", "stopped")
    assert end.checkpoint == last_verified_checkpoint(run) is not None


@pytest.mark.parametrize("command", ["cancel", "pause", "stop"])
def test_a_wish_is_heard_while_libraries_are_imported(workshop, tmp_path, command):
    """Importing torch takes ten seconds on a loaded machine; here it never ends."""
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch/__init__.py").write_text("import time\n\nwhile True:\n    time.sleep(1)\n")
    run = workshop.make(training=LONG)
    worker = start(run, PYTHONPATH=str(tmp_path))
    wait_until(lambda: run.read_state().detail == "loading the training libraries", process=worker)
    run.write_control(ControlFile(command=command))
    assert worker.wait(60) == 0
    end = events(run)[-1]
    ended = {"cancel": "cancelled", "pause": "paused", "stop": "stopped"}[command]
    assert (end.type, run.read_state().state) == (ended, ended)
    assert "Traceback" not in run.log.read_text()
    assert not list(run.checkpoints.glob("*"))


def test_a_killed_worker_leaves_whole_events_and_a_good_checkpoint(workshop):
    run = workshop.make(training=LONG, checkpoint={"every_steps": 2, "keep": 2})
    worker = start(run)
    wait_until(lambda: len(of(run, "checkpoint")) >= 3, process=worker)
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait(60)
    seqs = [event.seq for event in events(run)]
    assert seqs == list(range(1, len(seqs) + 1))
    whole = run.events.read_bytes().split(b"\n")[:-1]
    assert len(whole) == len(seqs)
    assert all(json.loads(line) for line in whole)
    assert last_verified_checkpoint(run) is not None
    assert run.read_state().state == "running"
    assert not run.worker().alive()


def test_a_full_disk_is_told_and_the_last_checkpoint_stays(workshop):
    """A process may not write files beyond a size: checkpoints fail as on a full disk, small files do not."""
    run = workshop.make(training={**LONG, "max_steps": 50}, checkpoint={"every_steps": 2})
    write = CheckpointStore.write

    def disk_fills_up(self, step, fill, **rest):
        if step == 6:
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
        return write(self, step, fill, **rest)

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CheckpointStore, "write", disk_fills_up)
        try:
            error = failed_on_full_disk(run, (soft, hard))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert error.code == "disk-full"
    assert events(run)[-1].checkpoint == "checkpoints/step-000004"
    assert sorted(path.name for path in run.checkpoints.iterdir()) == ["step-000002", "step-000004"]


def failed_on_full_disk(run, limits):
    """Lift the limit once the failed attempt was cleared away, as removing it frees space on a real disk."""
    from peft_engine.training.journal import Journal

    fail = Journal.fail

    def with_the_freed_space(self, error):
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        fail(self, error)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "fail", with_the_freed_space)
        return failed(run)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small disk")
def test_a_disk_that_is_really_full_is_told(workshop, home):
    """On a file system of four megabytes, filled to the last byte once the run has its first checkpoint."""
    (home / "runs").mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(home / "runs")], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("this machine does not let a disk be mounted")
    try:
        run = workshop.make(training=LONG, checkpoint={"every_steps": 50, "keep": 2})
        worker = start(run)
        wait_until(lambda: of(run, "checkpoint"), process=worker)
        with (home / "runs/ballast").open("wb", buffering=0) as ballast, pytest.raises(OSError, match="No space"):
            while True:
                ballast.write(bytes(4096))
        # Nor is there room in the last page of the log, to which the worker writes what Python says of the fault.
        with run.log.open("ab", buffering=0) as log, suppress(OSError):
            log.write(bytes(4096))
        assert worker.wait(120) == 1
        end = EventTail(run.events).read()[-1]
        assert (end.type, end.error.code) == ("failed", "disk-full")
        assert run.read_state().state == "failed"
        assert end.checkpoint == last_verified_checkpoint(run) is not None
    finally:
        subprocess.run(["umount", "-l", str(home / "runs")], check=False)


def test_a_missing_dataset_is_told_before_torch_is_loaded(workshop):
    run = workshop.make(datasets=[{"path": "nowhere.jsonl"}])
    error = failed(run)
    assert error.code == "dataset-missing"
    assert str(workshop.folder / "nowhere.jsonl") in error.message


def test_an_unknown_model_is_told(workshop):
    assert failed(workshop.make(model={"base": "nobody/nothing"})).code == "model-missing"


def test_a_base_that_is_no_model_is_told(workshop):
    (workshop.folder / "broken").mkdir()
    (workshop.folder / "broken/config.json").write_text('{"model_type": "llama"')
    assert failed(workshop.make(model={"base": "./broken"})).code == "model-unreadable"


@pytest.mark.parametrize("targets", [["q_proj", "w_pack"], r".*nothing.*", ["mlp"]])
def test_targets_that_fit_no_layer_are_told_before_the_weights_are_loaded(workshop, tiny_base, targets, tmp_path):
    bare = tmp_path / "weightless"
    bare.mkdir()
    (bare / "config.json").write_bytes((tiny_base / "config.json").read_bytes())
    error = failed(workshop.make(model={"base": str(bare)}, method={"type": "lora", "target_modules": targets}))
    assert error.code == "no-target-module"
    assert "q_proj" in error.remedy


def test_nothing_to_learn_within_the_length_is_told(workshop):
    assert failed(workshop.make(training={"max_length": 8})).code == "dataset-empty"


@pytest.mark.parametrize(
    "sections",
    [{"compute": {"device": "mps"}}, {"training": {"precision": "float16"}}],
)
def test_what_cannot_be_trained_here_is_told(workshop, sections):
    assert failed(workshop.make(**sections)).code == "not-supported"


def test_a_run_that_diverged_leaves_no_adapter(workshop):
    error = failed(
        workshop.make(
            training={"learning_rate": 0.99, "max_steps": 3, "max_grad_norm": 1e30},
            method={"type": "lora", "alpha": 4096.0, "r": 1},
            model={"base": workshop.base, "dtype": "float16"},
        )
    )
    assert error.code == "diverged"


def test_weights_that_are_no_numbers_are_no_artifact(tmp_path):
    for name, value in (("good", 1.0), ("bad", float("inf"))):
        save_file({"a": torch.tensor([0.0, value])}, tmp_path / name)
    artifact._check_weights(tmp_path / "good")
    with pytest.raises(WorkbenchError) as caught:
        artifact._check_weights(tmp_path / "bad")
    assert caught.value.code == "no-artifact"


def test_F22_a_worker_that_ends_well_without_weights_has_failed_for_want_of_an_artifact(workshop, monkeypatch):
    save = PeftModel.save_pretrained

    def loses_the_weights(self, folder, **how):
        save(self, folder, **how)
        if isinstance(folder, Path):  # that of the artifact; a checkpoint's is a str
            (folder / "adapter_model.safetensors").unlink()

    monkeypatch.setattr(PeftModel, "save_pretrained", loses_the_weights)
    assert failed(workshop.make()).code == "no-artifact"


def test_an_unexpected_fault_is_a_sentence_with_its_traceback_in_the_log(workshop, monkeypatch, capfd):
    def fault(*_):
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("peft_engine.training.data.batch.boundaries", fault)
    error = failed(workshop.make())
    assert (error.code, "ZeroDivisionError" in error.message, "Traceback" in error.message) == ("internal", True, False)
    assert "Traceback" in capfd.readouterr().err


def test_a_failed_write_of_the_last_word_is_not_a_success(workshop, monkeypatch):
    """When even the reserve does not help, the exit code tells, and a judge finds the worker gone."""
    from peft_engine.training.journal import Journal
    from peft_engine.training.worker import work

    def full(*_args, **_fields):
        raise OSError(errno.ENOSPC, "No space left on device")

    run = workshop.make(datasets=[{"path": "nowhere.jsonl"}])
    monkeypatch.setattr(Journal, "fail", full)
    with pytest.raises(OSError, match="No space"):
        work(run.path)
    assert run.read_state().state == "preparing"
