"""MLflow is a tracker here, too; other trackers are not."""

from pathlib import Path

import pytest

from peft_engine.config.document import parse
from peft_engine.config.foreign.outgoing.write import Recipient, export_config
from peft_engine.config.foreign.tables import Tool
from peft_engine.config.foreign.translate import import_config
from peft_engine.config.resolve import resolve
from peft_engine.config.text import SourceText

AXOLOTL = "base_model: org/m\nadapter: lora\ndatasets:\n  - path: d.jsonl\n    type: alpaca\n"
OURS = "version: 1\nmodel:\n  base: org/m\ndatasets:\n  - path: d.jsonl\n    format: alpaca\ntracker:\n  type: mlflow\n"
SERVER = "  url: http://tracker:5000\n  experiment: desk\n"


def imported(tool: Tool, text: str) -> tuple[dict[str, str], list[str]]:
    """Return the section `tracker`, and the codes of what is said about it."""
    result = import_config(tool, text)
    section = parse(SourceText(result.config)).to_plain().get("tracker", {})
    return section, [finding.code for finding in result.findings if "mlflow" in finding.message.lower()]


def test_axolotls_server_and_experiment_are_taken_over() -> None:
    text = AXOLOTL + "mlflow_tracking_uri: http://tracker:5000\nmlflow_experiment_name: desk\n"
    section, said = imported("axolotl", text)
    assert section == {"type": "mlflow", "url": "http://tracker:5000", "experiment": "desk"}
    assert said == []


@pytest.mark.parametrize(
    ("keys", "section", "said"),
    [
        ("mlflow_experiment_name: desk\n", {"type": "mlflow", "experiment": "desk"}, ["IM04"]),
        ("use_mlflow: true\n", {"type": "mlflow"}, ["IM04"]),
        ("mlflow_tracking_uri: http://tracker:5000\n", {}, ["IM02"]),
        ("mlflow_tracking_uri: ./mlruns\nmlflow_experiment_name: desk\n", {}, ["IM02"]),
        ("mlflow_tracking_uri: https://me:pw@h\nuse_mlflow: true\n", {}, ["IM02"]),
        ("use_mlflow: false\n", {}, []),
    ],
)
def test_what_axolotl_leaves_open_about_mlflow_is_said(keys: str, section: dict[str, str], said: list[str]) -> None:
    assert imported("axolotl", AXOLOTL + keys) == (section, said)


@pytest.mark.parametrize("tool", ["trl", "llamafactory"])
@pytest.mark.parametrize(
    ("value", "section", "said"),
    [
        ("mlflow", {"type": "mlflow"}, ["IM04"]),
        ("[wandb, mlflow]", {"type": "mlflow"}, ["IM02", "IM04"]),
        ("wandb", {}, ["IM02"]),
        ("none", {}, []),
    ],
)
def test_mlflow_is_taken_from_the_trainers_list(
    tool: Tool, value: str, section: dict[str, str], said: list[str]
) -> None:
    found, codes = imported(tool, f"model_name_or_path: org/m\ndo_train: true\nreport_to: {value}\n")
    assert (found, sorted(codes)) == (section, said)


@pytest.mark.parametrize(
    ("tool", "lines", "unsaid"),
    [
        ("axolotl", ["mlflow_experiment_name: desk", 'mlflow_tracking_uri: "http://tracker:5000"'], []),
        ("trl", ["report_to: mlflow"], ["MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"]),
        ("llamafactory", ["report_to: mlflow"], ["MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"]),
    ],
)
def test_our_tracker_is_said_elsewhere(tool: Recipient, lines: list[str], unsaid: list[str]) -> None:
    document = parse(SourceText(OURS + SERVER))
    exported = export_config(tool, document, resolve(document.to_plain(), source=Path("demo.peft.yaml")))
    assert sorted(line for line in exported.config.splitlines() if "mlflow" in line) == lines
    said = [finding.message for finding in exported.findings if "tracker." in finding.message]
    assert [next(name for name in unsaid if name in message) for message in said] == unsaid
