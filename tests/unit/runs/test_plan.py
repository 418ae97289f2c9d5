"""A dry run finds what a run would find, and leaves no trace."""

import json
from itertools import count
from pathlib import Path

import pytest

from peft_daemon.cli import run
from peft_daemon.cli.output import FAILURE
from peft_daemon.runs.launch import ConfigRefused
from peft_daemon.runs.plan import plan
from peft_engine.cancelling import Cancelled

CONFIG = (
    "version: 1\nmodel:\n  base: HuggingFaceTB/SmolLM2-135M-Instruct\ndatasets:\n  - path: a.jsonl\n    weight: 2\n"
    "training: {num_epochs: 1, batch_size: 4}\nevaluation: {split: 0.2, every_steps: 2}\n"
    "checkpoint: {every_steps: 2}\n"
)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"text": f"text {i}"}) + "\n" for i in range(10)))
    path = tmp_path / "demo.peft.yaml"
    path.write_text(CONFIG)
    return path


def everything_in(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


def test_a_plan_counts_what_the_training_would_use(config: Path) -> None:
    found = plan(config)
    assert (found.name, found.training_examples, found.held_out_examples) == ("demo", 16, 2)
    assert [(data.format, data.examples) for data in found.datasets] == [("text", 10)]
    assert found.base_path is not None
    figures = {figure.name: figure.value for figure in found.figures.figures}
    assert (figures["examples"], figures["steps"]) == (16, 4)


def test_a_dry_run_leaves_nothing(config: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = everything_in(config.parent), everything_in(home)
    run.command(config, dry_run=True)
    printed = " ".join(capsys.readouterr().out.split())
    assert "demo can be run. Nothing was started." in printed
    assert "16 examples to train on in an epoch, 2 to measure on." in printed
    assert (everything_in(config.parent), everything_in(home)) == before


def test_a_dry_run_prints_a_path_that_is_longer_than_a_line_whole(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = config.parent / "/".join(["a-folder-with-a-name-of-more-than-forty-characters"] * 3)
    folder.mkdir(parents=True)
    (folder / "a.jsonl").write_text((config.parent / "a.jsonl").read_text())
    config.write_text(CONFIG.replace("a.jsonl", str(folder / "a.jsonl")))
    run.command(config, dry_run=True)
    assert str(folder / "a.jsonl") in "".join(capsys.readouterr().out.split())


def test_a_dry_run_prints_its_plan_as_json(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run.command(config, dry_run=True, json=True)
    assert json.loads(capsys.readouterr().out)["training_examples"] == 16


@pytest.mark.parametrize(
    "wrong", [CONFIG.replace("num_epochs: 1", "num_epochs: 0"), CONFIG.replace("weight: 2", "format: alpaca")]
)
def test_a_dry_run_refuses_what_a_run_would_refuse(
    config: Path, wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text(wrong)
    with pytest.raises(ConfigRefused) as refused:
        plan(config)
    with pytest.raises(SystemExit) as ended:
        run.command(config, dry_run=True)
    assert ended.value.code == FAILURE
    assert refused.value.message in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("asked_before", [0, 1, 5, 25])
def test_a_dry_run_that_is_given_up_reads_no_more_of_its_data(config: Path, asked_before: int) -> None:
    (config.parent / "a.jsonl").write_text((json.dumps({"text": "a text"}) + "\n") * 10_000)
    asked = count()
    with pytest.raises(Cancelled):
        plan(config, cancelled=lambda: next(asked) >= asked_before)
    assert next(asked) == asked_before + 1
