"""Rows F1 and U24: what holds for every training backend, and what holds between them.

Unsloth trains here for real, in the environment that `tools/unsloth-env.sh` makes. `transformers` does the same runs in
the same environment, so that nothing but the backend differs.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from peft_engine.files import sha256
from peft_engine.rundir import RunDirectory
from tests.integration.training import contract_runs
from tests.integration.training.interruption import series, weights
from tests.integration.training.workshop import losses, of
from tests.waiting import PATIENCE

# Each backend's runs are one process, which a test waits for.
pytestmark = pytest.mark.timeout(6 * PATIENCE)

ROOT = Path(__file__).parents[3]
BACKENDS = ("transformers", "unsloth")
ADAPTERS = ("plain", "packed", "dropped", "recomputed", "rslora")


@pytest.fixture(scope="session")
def unsloth_python() -> str:
    """The interpreter that has Unsloth."""
    found = subprocess.run([ROOT / "tools/unsloth-env.sh", "--find"], capture_output=True, text=True)
    if found.returncode:
        pytest.skip("there is no environment with Unsloth: call tools/unsloth-env.sh, which needs a package index")
    return found.stdout.strip()


@dataclass(frozen=True)
class Contract:
    """The contract's runs with one backend."""

    backend: str
    runs: Path
    began_in: Path
    """The folder in which the process worked, but for its data."""

    base: Path
    base_before: dict[str, str]

    def run(self, name: str) -> RunDirectory:
        return RunDirectory(self.runs / name)

    def seen(self, name: str) -> Any:
        return json.loads((self.runs / name / contract_runs.SEEN).read_bytes())


def hashes(folder: Path) -> dict[str, str]:
    return {file.name: sha256(file) for file in folder.iterdir()}


@pytest.fixture(scope="module")
def contracts(unsloth_python, tiny_base, tmp_path_factory) -> dict[str, Contract]:
    made = {}
    for backend in BACKENDS:
        home, cwd = tmp_path_factory.mktemp(f"{backend}-home"), tmp_path_factory.mktemp(f"{backend}-cwd")
        before = hashes(tiny_base)
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        done = subprocess.run(
            [unsloth_python, "-m", contract_runs.__name__, backend, str(tiny_base), str(home)],
            cwd=cwd,
            env={**os.environ, "PEFTW_HOME": str(home), "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        made[backend] = Contract(backend, home / "runs", cwd, tiny_base, before)
    return made


@pytest.fixture(params=BACKENDS)
def contract(request, contracts) -> Contract:
    return contracts[request.param]


@pytest.mark.parametrize("name", contract_runs.RUNS)
def test_the_loss_falls(contract, name):
    measured = losses(contract.run(name))
    assert len(measured) == contract_runs.STEPS
    assert measured[-1] < measured[0] - 0.05


@pytest.mark.parametrize("name", contract_runs.RUNS)
def test_F1_the_backend_that_is_reported_is_the_one_that_trained(contract, name):
    (plan,) = of(contract.run(name), "plan")
    assert plan.backend.startswith(contract.backend)
    assert contract.seen(name)["modules"] == (["unsloth", "unsloth_zoo"] if contract.backend == "unsloth" else [])


@pytest.mark.parametrize("name", [name for name in contract_runs.RUNS if name not in ("full", "qlora")])
def test_the_base_stays_as_it_is_in_memory_and_on_disk(contract, name):
    seen = contract.seen(name)
    assert seen["frozen"] > 0
    assert seen["changed"] == []
    assert hashes(contract.base) == contract.base_before


@pytest.mark.parametrize("name", ADAPTERS)
def test_an_adapter_opens_in_plain_peft_and_answers_as_the_trained_model_did(contract, name):
    run = contract.run(name)
    base = AutoModelForCausalLM.from_pretrained(contract.base, dtype=torch.float32)
    ids = torch.tensor(contract_runs.IDS)
    with torch.no_grad():
        untrained = base(ids).logits
        answered = PeftModel.from_pretrained(base, run.adapter).eval()(ids).logits
    expected = load_file(run.path / contract_runs.OBSERVED)["logits"]
    torch.testing.assert_close(answered, expected, rtol=1e-4, atol=1e-4)
    assert (expected - untrained).abs().max() > 0.05, "it learned something"


def test_examples_that_share_a_row_are_learned_as_if_each_were_alone(contract):
    together, alone = losses(contract.run("packed")), losses(contract.run("unpacked"))
    assert together == pytest.approx(alone, rel=1e-5)


def test_a_run_that_was_paused_and_cut_off_ends_to_the_bit_like_one_left_alone(contract):
    alone, broken = contract.run("dropped"), contract.run(contract_runs.INTERRUPTED)
    assert len(of(broken, "resumed")) == 2
    assert weights(broken) == weights(alone) != {}
    expected, measured = series(alone)["metric"], series(broken)["metric"]
    assert {step: measured[step] for step in expected} == expected


@pytest.mark.parametrize("name", contract_runs.RUNS)
def test_a_result_holds_the_same_files_and_nothing_lies_beside(contract, contracts, name):
    other = contracts["transformers"].run(name)
    assert contract.run(name).read_manifest().keys() == other.read_manifest().keys()
    assert list(contract.began_in.iterdir()) == []


@pytest.mark.parametrize("name", contract_runs.RUNS)
def test_both_backends_learn_the_same_from_the_same_batches(contracts, name):
    plain, other = (losses(contracts[backend].run(name)) for backend in BACKENDS)
    assert other == pytest.approx(plain, rel=1e-4)


def test_F1_unsloth_trains_with_its_own_loss(contracts):
    assert contracts["unsloth"].seen("plain")["chunked_loss"]
    assert not contracts["transformers"].seen("plain")["chunked_loss"]


def test_U24_both_are_measured_twice_recorded_and_no_gain_is_claimed_for_a_gpu(unsloth_python, workshop, home):
    config = workshop.folder / "demo.peft.yaml"
    config.write_text(
        f"version: 1\nname: demo\nmodel:\n  base: {workshop.base}\ndatasets:\n  - path: train.jsonl\n"
        "method:\n  r: 4\ntraining:\n  batch_size: 4\n  max_length: 96\n"
    )
    command = [sys.executable, "-m", "peft_daemon", "bench", "--backends", "--json", "--python", unsloth_python]
    done = subprocess.run([*command, str(config)], capture_output=True, text=True, timeout=2 * PATIENCE)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    (measurement,) = report["measurements"]
    assert [each["backend"] for each in measurement["backends"]] == list(BACKENDS)
    for each in measurement["backends"]:
        assert len(each["runs"]) == 2, each["error"]
        assert all(run["tokens_per_second"] > 0 and run["peak_memory_bytes"] > 2**20 for run in each["runs"])
    plain, other = (each["runs"][-1]["loss"] for each in measurement["backends"])
    assert other == pytest.approx(plain, rel=1e-4)
    assert measurement["versions"].keys() >= {"torch", "transformers", "peft", "unsloth"}
    assert any("not measured here" in note for note in report["notes"])
    assert not (home / "runs").exists() or not any((home / "runs").iterdir())
    again = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert json.loads(again.stdout)["measurements"] == [measurement]


def test_U24_without_a_measurement_nothing_is_claimed():
    command = [sys.executable, "-m", "peft_daemon", "bench", "--backends", "--json"]
    report = json.loads(subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE).stdout)
    assert report["measurements"] == []
    assert "Nothing was measured" in report["notes"][0]
    if not shutil.which("nvidia-smi"):
        assert "no CUDA device was found" in report["notes"][1]
