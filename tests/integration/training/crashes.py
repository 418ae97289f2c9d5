"""Workers that are killed at random moments: forked from a process that has loaded the training libraries once."""

import multiprocessing
import random
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from types import SimpleNamespace

from peft_daemon.runs.judge import settle
from peft_daemon.runs.resume import resume
from peft_engine.rundir import RunDirectory, directory
from peft_engine.rundir.checkpoints import verify_checkpoint
from peft_engine.training.worker import work
from peft_schemas.events import RESTING_STATES
from tests.integration.nursery import apart
from tests.integration.training.workshop import events
from tests.waiting import PATIENCE

PRELOADED = [
    "peft_engine.training.backends.transformers_backend",
    "peft_engine.training.session",
    "transformers.models.llama.modeling_llama",
    "tests.integration.training.crashes",
]
NOBODY = shutil.which("true") or "/bin/true"
"""An interpreter whose workers end at once: the tests start theirs themselves."""


def fork_server() -> ForkServerContext:
    """Return a context whose processes begin with everything loaded and nothing computed."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def train(path: str, home: str) -> None:
    """Be a run's worker."""
    apart(lambda: work(Path(path)), home, Path(path) / "worker.log")


def train_under_a_jumping_clock(path: str, home: str) -> None:
    """Be a run's worker on a machine whose wall clock is set by up to two days with each look at it."""
    chance, real = random.Random(path), time.time
    jumping = SimpleNamespace(
        now=lambda zone: datetime.fromtimestamp(real() + chance.uniform(-172_800, 172_800), zone),
        fromisoformat=datetime.fromisoformat,
    )
    directory.datetime = jumping  # type: ignore[attr-defined]
    time.time = lambda: real() + chance.uniform(-172_800, 172_800)
    train(path, home)


def bring_back(path: str, home: str) -> None:
    """Be the command that resumes a run."""

    def body() -> int:
        resume(RunDirectory(Path(path)), python=NOBODY, accept_changes=True)
        return 0

    apart(body, home, Path(path) / "worker.log")


@dataclass
class Mortals:
    """Starts processes and kills them."""

    context: ForkServerContext
    chance: random.Random
    home: Path

    def live(self, body: Callable[[str, str], None], run: RunDirectory, seconds: float | None = None) -> bool:
        """Let a process do its work; return whether it was killed, after a number of seconds."""
        process: ForkServerProcess = self.context.Process(target=body, args=(str(run.path), str(self.home)))
        process.start()
        process.join(PATIENCE if seconds is None else seconds)
        killed = process.exitcode is None
        if killed:
            assert seconds is not None, "the worker hangs"
            process.kill()
            process.join(PATIENCE)
        assert process.exitcode in {0, 1, -signal.SIGKILL}, process.exitcode
        return killed

    def resume(self, run: RunDirectory) -> None:
        """Put the run back into the queue, now and then by a command that is killed while it does so."""
        if self.chance.random() < 0.3:
            self.live(bring_back, run, self.chance.uniform(0, 0.2))
        if settle(run).state in RESTING_STATES:
            resume(run, python=NOBODY, accept_changes=True)


def newest_announced(run: RunDirectory) -> int:
    """Return the step of the newest checkpoint that the run has spoken of, having seen that it is there; 0 for none."""
    announced: dict[int, tuple[str, str]] = {}
    for event in events(run):
        if event.type == "checkpoint":
            announced[event.step] = (event.path, event.sha256)
        elif event.type == "resumed":
            announced = {step: said for step, said in announced.items() if step <= event.step}
    if not announced:
        return 0
    step = max(announced)
    path, digest = announced[step]
    assert verify_checkpoint(run.path / path, digest) is not None, f"step {step} was announced and is lost"
    return step
