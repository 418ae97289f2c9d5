"""`peftw estimate`: what it prints, and what it says it does not know."""

import json
from pathlib import Path

import pytest

from peft_daemon.cli import estimate
from peft_daemon.cli.output import FAILURE

GOOD = "version: 1\nmodel:\n  base: org/m\ndatasets:\n  - path: a.jsonl\ntraining: {batch_size: 3, max_steps: 10}\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "a.jsonl").write_text('{"text": "hello"}\n')
    path = tmp_path / "run.peft.yaml"
    path.write_text(GOOD)
    return path


def test_json_has_every_figure_and_what_is_not_estimated(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    estimate.command(config, as_json=True)
    report = json.loads(capsys.readouterr().out)
    known = {figure["name"]: figure["value"] for figure in report["figures"]}
    assert (known["effective_batch"], known["steps"]) == (3, 10)
    assert {unknown["name"] for unknown in report["unknown"]} >= {"trainable_parameters"}
    assert report["not_estimated"] == ["time", "memory"]


def test_the_table_shows_the_arithmetic_and_says_what_is_missing(config: Path, capsys) -> None:
    estimate.command(config)
    printed = capsys.readouterr()
    assert "3 × 1 (batch_size × gradient_accumulation_steps)" in " ".join(printed.out.split())
    assert "time and memory" in printed.err


def test_a_config_with_errors_gets_its_findings_and_no_figures(config: Path, capsys) -> None:
    config.write_text(GOOD.replace("3", "0"))
    with pytest.raises(SystemExit) as ended:
        estimate.command(config)
    assert ended.value.code == FAILURE
    printed = capsys.readouterr()
    assert ("PW103" in printed.err, printed.out) == (True, "")
