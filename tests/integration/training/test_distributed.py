"""Several processes, real ones on this machine's CPU through gloo, against one with the same effective batch."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import psutil
import pytest
from safetensors.torch import load_file

from peft_engine.rundir import RunDirectory
from peft_engine.rundir.moves import move
from peft_schemas.events import ControlFile
from tests.integration.training.interruption import interrupted, series, weights
from tests.integration.training.workshop import Workshop, finished, of, start
from tests.waiting import PATIENCE, wait_until

TOLERANCE = 1e-5
"""Of losses and weights: the sums are taken in another order."""

SHARED = {
    "evaluation": {"split": 0.2, "every_steps": 3},
    "method": {"dropout": 0.0},
    "compute": {"processes": 2},
}


def two(shop: Workshop, **sections: Any) -> RunDirectory:
    """Lay out a run of two processes with half the batch each; 19 examples leave a last batch of three."""
    training = {"max_steps": 7, "batch_size": 2, **sections.pop("training", {})}
    return shop.make(**{**SHARED, "training": training, **sections})


def one(shop: Workshop, **sections: Any) -> RunDirectory:
    """Lay out the same run for one process with the whole batch."""
    training = {"max_steps": 7, "batch_size": 4, **sections.pop("training", {})}
    return shop.make(**{**SHARED, "training": training, **sections, "compute": {"processes": 1}})


def assert_alike(run: RunDirectory, other: RunDirectory) -> None:
    """See that two runs took the same steps and came to the same weights."""
    first, second = series(run), series(other)
    for kind in ("metric", "evaluation"):
        assert first[kind].keys() == second[kind].keys()
        for step, values in first[kind].items():
            assert values == pytest.approx(second[kind][step], rel=TOLERANCE), (kind, step)
    files = [
        file.relative_to(run.path) for file in (*run.adapter.glob("*.safetensors"), *run.model.glob("*.safetensors"))
    ]
    assert files
    for file in files:
        mine, others = load_file(run.path / file), load_file(other.path / file)
        assert mine.keys() == others.keys()
        for name, tensor in mine.items():
            assert tensor.dtype == others[name].dtype
            assert (tensor - others[name]).abs().max() < TOLERANCE * 10, name


def children_of(process: "subprocess.Popen[bytes]") -> Sequence[psutil.Process]:
    return psutil.Process(process.pid).children()


def is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_F20_two_processes_take_the_steps_of_one_and_go_on_to_the_bit_after_a_pause(workshop: Workshop) -> None:
    alone, together = one(workshop), two(workshop)
    assert finished(alone).type == finished(together).type == "completed"
    assert_alike(together, alone)
    assert of(together, "plan")[0].device == "2 × cpu"
    paused = two(workshop)
    interrupted(paused, pauses=[3])
    assert paused.read_state().attempt == 2
    assert paused.read_state().state == "completed"
    assert series(paused) == series(together)
    assert weights(paused) == weights(together)


def test_F11_with_dropout_a_run_of_two_processes_goes_on_to_the_bit_after_a_crash(workshop: Workshop) -> None:
    sections: dict[str, Any] = {
        "method": {"dropout": 0.2},
        "training": {"max_steps": 5, "gradient_accumulation_steps": 2},
    }
    straight, crashed = two(workshop, **sections), two(workshop, **sections)
    assert finished(straight).type == "completed"
    interrupted(crashed, crashes=[4])
    assert series(crashed) == series(straight)
    assert weights(crashed) == weights(straight)


@pytest.mark.parametrize("method", ["lora", "full"])
def test_F7_weights_that_are_spread_over_two_processes_learn_the_same(workshop: Workshop, method: str) -> None:
    sections: dict[str, Any] = {"method": {"type": method, "dropout": 0.0}, "training": {"max_steps": 4}}
    alone = one(workshop, **sections)
    spread = two(workshop, **sections, compute={"processes": 2, "strategy": "fsdp"})
    assert finished(alone).type == "completed"
    interrupted(spread, pauses=[2])
    assert spread.read_state().state == "completed", spread.read_state().error
    assert_alike(spread, alone)


def test_F15_the_death_of_one_process_ends_all_and_the_run_says_which(workshop: Workshop) -> None:
    run = two(workshop, training={"max_steps": 5000})
    worker = start(run)
    wait_until(lambda: of(run, "metric"), process=worker)
    (other,) = children_of(worker)
    other.kill()
    assert worker.wait(PATIENCE) == 1
    (failed,) = of(run, "failed")
    assert failed.error.code == "worker-killed"
    assert failed.error.message.startswith("Number 2 of the 2 processes")
    assert failed.error.message.endswith("was killed by SIGKILL.")


def test_F12_no_process_outlives_a_worker_that_is_killed_nor_one_that_is_stopped(workshop: Workshop) -> None:
    for ending in ("kill", "stop"):
        run = two(workshop, training={"max_steps": 5000})
        worker = start(run)
        wait_until(lambda run=run: of(run, "metric"), process=worker)  # type: ignore[misc]
        others = children_of(worker)
        assert len(others) == 1
        if ending == "kill":
            os.kill(worker.pid, signal.SIGKILL)
        else:
            run.write_control(ControlFile(command="stop"))
            assert worker.wait(PATIENCE) == 0
            (stopped,) = of(run, "stopped")
            # All left at the same step edge, or there would be no checkpoint of it.
            assert stopped.checkpoint == f"checkpoints/step-{stopped.step:06d}"
        wait_until(lambda others=others: all(is_gone(other) for other in others))  # type: ignore[misc]
        worker.wait(PATIENCE)


@pytest.mark.parametrize(
    "launcher",
    [
        "torch.distributed.run --standalone --nproc-per-node 2",
        # By this flag it starts processes that find each other; without CUDA devices they meet over Gloo.
        "accelerate.commands.launch --multi_gpu --num_processes 2 --num_machines 1 --mixed_precision no "
        "--dynamo_backend no",
    ],
    ids=["torchrun", "accelerate launch"],
)
def test_F20_other_launchers_start_the_same_worker(workshop: Workshop, launcher: str) -> None:
    alone, together = one(workshop), two(workshop)
    # As `peftw run --lay-out` leaves it: nobody waits for a worker.
    together.write_state(move(together.read_state(), "paused"))
    command = [sys.executable, "-m", *launcher.split(), "-m", "peft_engine.training", str(together.path)]
    with together.log.open("ab") as log:
        subprocess.run(command, check=True, timeout=PATIENCE, stdout=log, stderr=log)
    assert finished(alone).type == "completed"
    assert_alike(together, alone)
