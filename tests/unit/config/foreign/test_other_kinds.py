"""Configs of a tool that describe no training run: an inference, an evaluation, a job. They are refused by name."""

from typing import get_args

import pytest

from peft_engine.config.foreign.tables import Tool
from peft_engine.config.foreign.translate import import_config
from tests.unit.config.foreign.reading import marked

OTHERS: list[tuple[Tool, str, str, str]] = [
    ("oumi", "model:\n  model_name: x\ngeneration:\n  max_new_tokens: 8\nengine: VLLM\n", "inference", "generation"),
    ("oumi", "model:\n  model_name: x\ntasks:\n  - evaluation_backend: lm_harness\n", "evaluation", "tasks"),
    ("oumi", "name: job\nresources:\n  cloud: gcp\nsetup: pip install oumi\nrun: oumi train\n", "job", "resources"),
    ("oumi", "judge_params:\n  prompt_template: x\ninference_config:\n  engine: VLLM\n", "judge", "judge_params"),
    ("oumi", "strategy: GENERAL\nstrategy_params:\n  a: 1\n", "synthesis", "strategy_params"),
    (
        "llamafactory",
        "model_name_or_path: x\ntemplate: qwen\ninfer_backend: huggingface\n",
        "inference",
        "infer_backend",
    ),
    ("llamafactory", "model_name_or_path: x\nexport_dir: out\nexport_size: 5\n", "export", "export_dir"),
    (
        "llamafactory",
        "compute_environment: LOCAL_MACHINE\ndistributed_type: FSDP\n",
        "Accelerate",
        "compute_environment",
    ),
    ("llamafactory", "model: x\ntrain_dataset: y\nlearning_rate: 1.0e-4\n", "v1 trainer", "train_dataset"),
    ("torchtune", "tokenizer: {}\nquantizer:\n  groupsize: 256\n", "quantization", "quantizer"),
    ("torchtune", "model: {}\nprompt:\n  user: hi\nmax_new_tokens: 9\n", "generation", "prompt"),
    ("axolotl", "provider: modal\ngpu: a100\ngpu_count: 1\n", "cloud", "gpu_count"),
    ("trl", "compute_environment: LOCAL_MACHINE\nnum_processes: 8\n", "Accelerate", "compute_environment"),
]


@pytest.mark.parametrize(
    ("tool", "text", "what", "mark"), OTHERS, ids=[f"{tool}-{what}" for tool, _, what, _ in OTHERS]
)
def test_B24_a_config_of_something_else_is_refused_by_its_name_at_the_key_that_tells(
    tool: Tool, text: str, what: str, mark: str
) -> None:
    imported = import_config(tool, text)
    assert imported.config == ""
    (finding,) = imported.findings
    assert (finding.code, marked(text, finding)) == ("IM01", mark)
    assert what in finding.message
    assert "train" in finding.message or "tune run" in finding.message or "sft" in finding.message


@pytest.mark.parametrize("tool", get_args(Tool))
def test_B24_a_config_of_our_own_is_not_taken_for_another_tool_s(tool: Tool) -> None:
    text = "name: desk\nversion: 1\nmodel:\n  base: org/m\ndatasets:\n  - path: d.jsonl\ntraining:\n  seed: 1\n"
    imported = import_config(tool, text)
    assert imported.config == ""
    (finding,) = imported.findings
    assert (finding.code, marked(text, finding)) == ("IM01", "version")
    assert "PEFT Workbench" in finding.message


def test_a_run_that_has_a_key_of_something_else_as_well_is_still_a_run() -> None:
    text = "training:\n  learning_rate: 1.0e-4\nmodel:\n  model_name: org/m\ngeneration:\n  max_new_tokens: 8\n"
    assert import_config("oumi", text).config
