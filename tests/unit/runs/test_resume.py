import json
import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from peft_daemon.cli import runs_control
from peft_daemon.language.check import check_file
from peft_daemon.runs.changes import changed_inputs
from peft_daemon.runs.resume import ResumeChanged, resume
from peft_engine.files import sha256
from peft_engine.packages import versions
from peft_engine.rundir import EventLog, RunDirectory
from peft_schemas.errors import WorkbenchError
from peft_schemas.events import ControlFile, StoppedEvent

MakeRun = Callable[..., RunDirectory]
NOBODY = shutil.which("true") or "/bin/true"
"""An interpreter whose workers end at once."""

CONFIG = """\
version: 1
name: demo
model:
  base: HuggingFaceTB/SmolLM2-135M-Instruct
datasets:
  - path: train.jsonl
training:
  learning_rate: 0.001
"""


@pytest.fixture
def rested(make_run: MakeRun, tmp_path: Path) -> RunDirectory:
    """A stopped run of a real config, with the record that its worker made."""
    config, data, base = tmp_path / "demo.peft.yaml", tmp_path / "train.jsonl", tmp_path / "base"
    config.write_text(CONFIG)
    data.write_text('{"prompt": "Who?", "completion": "Me."}\n' * 8)
    base.mkdir()
    (base / "model.safetensors").write_bytes(b"weights")
    run = make_run(state="stopped")
    run.write_state(run.read_state().model_copy(update={"config_path": str(config)}))
    run.source.write_text(CONFIG)
    checked = check_file(config)
    assert checked.resolved is not None, checked.findings
    run.write_resolved(
        {"config": checked.resolved.config.model_dump(mode="json"), "explained": [], "source": str(config)}
    )
    record = {
        "packages": versions(["pydantic", "no-such-package"]),
        "datasets": [{"path": str(data), "sha256": sha256(data)}],
        "base": {
            "folder": str(base),
            "origin": "path",
            "sha256": {"model.safetensors": sha256(base / "model.safetensors")},
        },
    }
    run.environment.write_text(json.dumps(record))
    with EventLog(run.events) as log:
        log.append(StoppedEvent, run_id=run.id, directory=str(run.path), step=4, checkpoint=None)
    return run


def changed(run: RunDirectory) -> list[tuple[str, str]]:
    return [(change.what, Path(change.name).name) for change in changed_inputs(run, sys.executable)]


def test_nothing_changed(rested: RunDirectory) -> None:
    assert changed(rested) == []


def test_a_changed_value_is_named_with_what_it_was_and_is(rested: RunDirectory, tmp_path: Path) -> None:
    (tmp_path / "demo.peft.yaml").write_text(CONFIG.replace("0.001", "0.002"))
    (change,) = changed_inputs(rested, sys.executable)
    assert (change.what, change.name) == ("config", "training.learning_rate")
    assert (change.before, change.after) == ("0.001", "0.002")


def test_a_comment_is_no_change(rested: RunDirectory, tmp_path: Path) -> None:
    (tmp_path / "demo.peft.yaml").write_text("# The same.\n" + CONFIG)
    assert changed(rested) == []


def test_another_tracker_is_no_change(rested: RunDirectory, tmp_path: Path) -> None:
    (tmp_path / "demo.peft.yaml").write_text(CONFIG + "tracker:\n  type: mlflow\n  experiment: other\n")
    assert changed(rested) == []


def test_a_config_that_has_errors_now_is_a_change(rested: RunDirectory, tmp_path: Path) -> None:
    (tmp_path / "demo.peft.yaml").write_text(CONFIG + "nonsense: 1\n")
    assert changed(rested) == [("config", "demo.peft.yaml")]


def test_a_config_that_is_gone_is_in_the_run_directory(rested: RunDirectory, tmp_path: Path) -> None:
    (tmp_path / "demo.peft.yaml").unlink()
    assert changed(rested) == []


@pytest.mark.parametrize("gone", [False, True])
def test_data_and_base_are_compared_byte_for_byte(rested: RunDirectory, tmp_path: Path, gone: bool) -> None:
    for path in (tmp_path / "train.jsonl", tmp_path / "base/model.safetensors"):
        content = path.read_bytes()
        path.unlink() if gone else path.write_bytes(content[:-1] + b"!")
    assert changed(rested) == [("dataset", "train.jsonl"), ("base", "model.safetensors")]


def test_another_version_of_a_package_is_a_change(rested: RunDirectory) -> None:
    record = json.loads(rested.environment.read_text())
    record["packages"]["pydantic"] = "1.0"
    rested.environment.write_text(json.dumps(record))
    (change,) = changed_inputs(rested, sys.executable)
    assert (change.what, change.name, change.before) == ("environment", "pydantic", "1.0")


def test_a_record_that_is_damaged_is_asked_about(rested: RunDirectory) -> None:
    rested.environment.write_text('{"packages": {')
    assert changed(rested) == [("environment", "environment.json")]


def test_another_interpreter_is_asked_for_its_packages() -> None:
    elsewhere = str(Path(sys.executable).parent / "." / Path(sys.executable).name)
    assert versions(["pydantic", "no-such-package"], elsewhere) == versions(["pydantic", "no-such-package"])
    assert versions(["pydantic"], NOBODY) == {"pydantic": None}


def test_a_change_is_told_and_nothing_is_done(rested: RunDirectory, tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text("other")
    with pytest.raises(ResumeChanged) as refused:
        resume(rested)
    assert refused.value.code == "resume-changed"
    assert "train.jsonl" in refused.value.message
    assert [change.what for change in refused.value.changes] == ["dataset"]
    assert rested.read_state().state == "stopped"


def test_changes_are_told_without_hashes(
    rested: RunDirectory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "demo.peft.yaml"
    config.write_text(config.read_text().replace("0.001", "0.005"))
    (tmp_path / "train.jsonl").write_text('{"prompt": "Who?", "completion": "You."}\n' * 8)
    (tmp_path / "base/model.safetensors").unlink()
    with pytest.raises(SystemExit):
        runs_control.resume(rested.id, python=sys.executable)
    said = capsys.readouterr().err
    assert "training.learning_rate: 0.001 -> 0.005" in said
    assert "train.jsonl: has other content" in said and "model.safetensors: is gone" in said


def test_what_was_accepted_is_what_the_next_worker_expects(rested: RunDirectory, tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text("other")
    (tmp_path / "base/model.safetensors").write_bytes(b"others")
    resume(rested, python=NOBODY, accept_changes=True)
    record = json.loads(rested.environment.read_text())
    assert record["datasets"][0]["sha256"] == sha256(tmp_path / "train.jsonl")
    assert record["base"]["sha256"] == {"model.safetensors": sha256(tmp_path / "base/model.safetensors")}


def test_a_resumed_run_waits_for_its_next_worker(rested: RunDirectory) -> None:
    rested.write_control(ControlFile(command="stop"))
    resume(rested, python=NOBODY, accept_changes=True)
    state = rested.read_state()
    assert (state.state, state.attempt, state.since, state.pid) == ("queued", 2, 1, None)
    assert rested.read_control() == ControlFile()


@pytest.mark.parametrize("state", ["completed", "cancelled", "queued"])
def test_what_has_ended_for_good_or_goes_on_anyway_is_not_resumed(make_run: MakeRun, state: str) -> None:
    with pytest.raises(WorkbenchError) as refused:
        resume(make_run(state=state), python=NOBODY)
    assert refused.value.code == ("move-illegal")


def test_of_many_who_resume_a_run_one_does(rested: RunDirectory) -> None:
    def attempt(_: int) -> bool:
        try:
            resume(rested, python=NOBODY, accept_changes=True)
        except WorkbenchError as error:
            assert error.code == "move-illegal"
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(attempt, range(8))) == 1
    assert rested.read_state().attempt == 2


def test_an_interpreter_that_is_gone_leaves_the_run_as_it_was(rested: RunDirectory) -> None:
    with pytest.raises(WorkbenchError) as refused:
        resume(rested, python="/nowhere/python", accept_changes=True)
    assert refused.value.code == "internal"
    assert rested.read_state().state == "stopped"
