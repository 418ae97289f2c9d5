"""What watching costs the training of the real 135M model: processor time with it and without it, step by step.

python benchmarks/watching/events_cost.py [--steps 8] [--rounds 2]
"""

import argparse
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

sys.path.insert(0, str(Path(__file__).parents[2]))

HOOKS = ("on_train_begin", "on_step_begin", "on_step_end", "on_substep_end", "on_log", "on_save", "on_evaluate")


class Clock:
    """Processor time of each step, and of what watching took of it on the loop's own thread."""

    def __init__(self) -> None:
        self.steps: list[float] = []
        self.watching = 0.0
        self._began = 0.0

    def begin(self) -> None:
        """Start a step."""
        self._began = time.process_time()

    def end(self) -> None:
        """End a step."""
        self.steps.append(time.process_time() - self._began)

    def counted(self, hook: Any) -> Any:
        """Return a hook whose time is counted as watching's."""

        def call(*arguments: Any, **keywords: Any) -> Any:
            began = time.thread_time()
            try:
                return hook(*arguments, **keywords)
            finally:
                self.watching += time.thread_time() - began

        return call


@contextmanager
def watched(clock: Clock, *, on: bool) -> Iterator[None]:
    """Have steps timed, and metrics, detectors, recoveries and heartbeat be there or not."""
    from peft_engine.training.reporter import Reporter
    from peft_engine.training.tuner import Tuner
    from peft_engine.training.watched.heartbeat import Heartbeat
    from peft_engine.training.watched.recovery import Recovery
    from peft_engine.training.watched.watch import Watcher

    take = Tuner.get_batch_samples

    def get_batch_samples(self: Any, *arguments: Any) -> Any:
        # The last thing of a step is its report, the first of the next one its batches.
        if clock._began:
            clock.end()
        clock.begin()
        return take(self, *arguments)

    with mock.patch.object(Tuner, "get_batch_samples", get_batch_samples):
        patches = []
        for owner in (Reporter, Recovery, Watcher, Heartbeat):
            for name in HOOKS:
                hook = vars(owner).get(name)
                if hook is None:
                    continue
                needed = owner is Reporter and name in ("on_train_begin", "on_step_end")
                if on:
                    patches.append(mock.patch.object(owner, name, clock.counted(hook)))
                elif not needed:
                    patches.append(mock.patch.object(owner, name, lambda *_, **__: None))
        for patch in patches:
            patch.start()
        try:
            yield
        finally:
            for patch in patches:
                patch.stop()


def main() -> None:
    """Train with and without in turn, and print the share."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--steps", type=int, default=8)
    options.add_argument("--rounds", type=int, default=2)
    chosen = options.parse_args()
    # Each line as it is known, also into a file.
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    cache = Path(os.environ.get("PEFTW_CACHE") or Path.home() / ".cache/peft-workbench")
    models = cache / f"test-models-{metadata.version('transformers')}-2"
    with tempfile.TemporaryDirectory() as name:
        home, folder = Path(name) / "home", Path(name) / "workspace"
        home.mkdir()
        folder.mkdir()
        os.environ["PEFTW_HOME"] = str(home)
        from peft_engine.training.worker import work
        from tests.integration.training.witness import workshop_of_the_real_model

        shop = workshop_of_the_real_model(home, folder, models)
        steps: dict[bool, list[list[float]]] = {True: [], False: []}
        shares = []
        for number in range(chosen.rounds):
            for on in (True, False) if number % 2 == 0 else (False, True):
                clock = Clock()
                run = shop.make(
                    training={"max_steps": chosen.steps + 1, "batch_size": 4, "max_length": 128},
                    checkpoint={"every_steps": 1000},
                )
                with watched(clock, on=on):
                    work(run.path)
                if run.read_state().state not in ("completed", "failed") or not clock.steps:
                    sys.exit(f"The run ended as {run.read_state().state}; look at what it printed.")
                steps[on].append(clock.steps)
                if on:
                    shares.append(clock.watching / sum(clock.steps))
                    print(
                        f"with watching: {1000 * median(clock.steps):.0f} ms a step, of which watching "
                        f"{1000 * clock.watching / len(clock.steps):.2f} ms; threads alive: {threading.active_count()}"
                    )
                else:
                    print(f"without:       {1000 * median(clock.steps):.0f} ms a step")
    ratios = [
        with_it / without
        for on, off in zip(steps[True], steps[False], strict=True)
        for with_it, without in zip(on, off, strict=True)
    ]
    print(
        f"Processor time of the same step with over without: median {median(ratios):.4f} of {len(ratios)}, "
        f"from {min(ratios):.3f} to {max(ratios):.3f}"
    )
    print(f"Watching's own share of a step's processor time: {median(shares):.3%} (limit 1 %)")


if __name__ == "__main__":
    main()
