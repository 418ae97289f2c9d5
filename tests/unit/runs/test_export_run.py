"""What exporting a run asks of a conversion, and what it refuses before anything is started."""

import json
from pathlib import Path

import pytest

from peft_daemon.models.exporting import request_for_run
from peft_engine.rundir import RunDirectory, create_run_directory
from peft_engine.rundir.directory import now
from peft_schemas.errors import WorkbenchError
from peft_schemas.events import StateFile


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """A completed run with an adapter, on a base beside its config."""
    (tmp_path / "base").mkdir()
    (tmp_path / "base/config.json").write_text("{}")
    run = create_run_directory("desk")
    source = str(tmp_path / "desk.peft.yaml")
    run.resolved.write_text(json.dumps({"config": {"model": {"base": "./base"}}, "source": source}))
    time = now()
    run.write_state(
        StateFile(
            run_id=run.id,
            name="desk",
            state="completed",
            pid=None,
            started=None,
            created=time,
            updated=time,
            base="./base",
            config_path=source,
            step=1,
            total_steps=1,
        )
    )
    run.adapter.mkdir()
    run.write_manifest({})
    return run


@pytest.mark.parametrize(
    ("gguf", "merge", "to", "name"),
    [
        ("q8_0", True, "gguf:q8_0", "-merged-q8_0.gguf"),
        ("f32", False, "gguf-adapter", "-f32.gguf"),
        (None, True, "safetensors", "-merged"),
    ],
)
def test_P3_an_adapter_is_exported_alone_or_merged(
    run: RunDirectory, tmp_path: Path, gguf: str | None, merge: bool, to: str, name: str
) -> None:
    request = request_for_run(run.id, gguf=gguf, merge=merge, output=None)
    assert (request.to, Path(request.output)) == (to, Path.cwd() / f"{run.id}{name}")
    assert (request.source, request.adapter) == (str(tmp_path / "base"), str(run.adapter))


def test_P3_a_whole_model_is_exported_as_it_is(run: RunDirectory, tmp_path: Path) -> None:
    run.model.mkdir()
    request = request_for_run(run.id, gguf="q4_k_m", merge=False, output=tmp_path / "x.gguf")
    assert (request.to, request.source, request.adapter) == ("gguf:q4_k_m", str(run.model), None)
    with pytest.raises(WorkbenchError, match="trained the whole model"):
        request_for_run(run.id, gguf=None, merge=True, output=None)


@pytest.mark.parametrize(
    ("gguf", "merge", "words"),
    [("q8_0", False, "as f32"), (None, False, "is at"), ("q9_9", True, "Nothing is converted to gguf:q9_9")],
)
def test_what_does_not_go_together_is_refused(run: RunDirectory, gguf: str | None, merge: bool, words: str) -> None:
    with pytest.raises(WorkbenchError, match=words) as error:
        request_for_run(run.id, gguf=gguf, merge=merge, output=None)
    assert error.value.code == "conversion-failed"


def test_a_run_without_a_result_cannot_be_exported(run: RunDirectory) -> None:
    run.manifest.unlink()
    with pytest.raises(WorkbenchError) as error:
        request_for_run(run.id, gguf="f32", merge=True, output=None)
    assert error.value.code == "adapter-missing"
