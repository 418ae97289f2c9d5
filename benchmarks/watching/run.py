"""How often healthy runs are accused, and how soon planted faults are found.

python benchmarks/watching/run.py [--traces 500] [--runs 30] [--steps 60] [--seed 0]
"""

import argparse
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path
from random import Random
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.watching.traces import EARLY, FAULTS, HARMLESS, STEPS, Trace, healthy

from peft_engine.watching import Watch, thresholds

UNSTEADY = (0.02, 0.1, 0.3)


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--traces", type=int, default=500, help="made traces of each kind and noise")
    options.add_argument("--runs", type=int, default=30, help="real runs of the tiny model")
    options.add_argument("--steps", type=int, default=60, help="steps of a real run")
    options.add_argument("--seed", type=int, default=0)
    chosen = options.parse_args()
    # Each line as it is known, also into a file.
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    _accusations(chosen.traces, chosen.seed)
    _delays(chosen.traces, chosen.seed)
    if chosen.runs:
        _real(chosen.runs, chosen.steps, chosen.seed)


def judge(trace: Trace) -> list[tuple[int, str]]:
    """Return the step and the kind of each anomaly that is said of a trace."""
    watch = Watch(thresholds(), memory_limit=0.9, scaled=False, vocabulary=49_152)
    return [(one.step, one.kind) for measured in trace for one in watch.measured(measured, 1.0)]


def _accusations(count: int, seed: int) -> None:
    print(f"Healthy traces of {STEPS} measurements, {count} of each: how many had an alarm")
    print(f"{'':32}" + "".join(f"{f'noise {unsteady:.0%}':>12}" for unsteady in UNSTEADY))
    for name, plant in {"as they are": None, **HARMLESS}.items():
        alarms = []
        for unsteady in UNSTEADY:
            traces = [healthy(Random(f"{seed} {number}"), unsteady) for number in range(count)]
            noise = Random(seed)
            planted = traces if plant is None else [plant(one, noise.randrange(30, 250), noise) for one in traces]
            alarms.append(sum(bool(judge(one)) for one in planted))
        print(f"{name:32}" + "".join(f"{found:>12}" for found in alarms))


def _delays(count: int, seed: int) -> None:
    print(f"\nPlanted faults, {count} of each: found, and after how many measurements (median, 95 of 100)")
    print(f"{'':32}" + "".join(f"{f'noise {unsteady:.0%}':>22}" for unsteady in UNSTEADY))
    rows = [(name, fault, range(30, 200)) for name, fault in FAULTS.items()]
    rows += [(name, fault, range(1, 9)) for name, fault in EARLY.items()]
    for name, (kind, plant), places in rows:
        cells = []
        for unsteady in UNSTEADY:
            noise, delays = Random(seed), []
            for number in range(count):
                at = noise.choice(places)
                trace = plant(healthy(Random(f"{seed} {number}"), unsteady), at, noise)
                found = next((step - at for step, said in judge(trace) if said == kind and step > at), None)
                delays += [] if found is None else [found]
            late = sorted(delays)[int(0.95 * len(delays)) - 1] if delays else 0
            cells.append(f"{len(delays)}, {median(delays):g}, {late}" if delays else "0")
        print(f"{name:32}" + "".join(f"{cell:>22}" for cell in cells))


def _real(count: int, steps: int, seed: int) -> None:
    """Train the tiny model of the tests in ways that are sound, through the whole worker."""
    with tempfile.TemporaryDirectory() as name:
        os.environ["PEFTW_HOME"] = str(Path(name) / "home")
        from peft_engine.training.worker import work
        from tests.integration.training.tiny import write_tiny_base
        from tests.integration.training.workshop import Workshop, losses, of

        write_tiny_base(Path(name) / "tiny")
        shop = Workshop(Path(name), str(Path(name) / "tiny"))
        shop.dataset(count=160)
        noise, rows, said = Random(seed), Counter[str](), []
        for number in range(count):
            method = noise.choice(["lora", "rslora", "dora", "pissa", "full"])
            rate = noise.choice([1e-4, 1e-3, 5e-3] if method == "full" else [2e-4, 2e-3, 1e-2])
            run = shop.make(
                method={"type": method},
                training={
                    "max_steps": steps,
                    "batch_size": noise.choice([1, 2, 4, 8]),
                    "learning_rate": rate,
                    "lr_scheduler": noise.choice(["linear", "cosine", "constant"]),
                    "packing": noise.random() < 0.5,
                    "max_length": 128,
                    "seed": number,
                },
                evaluation={"split": 0.2, "every_steps": 15},
                checkpoint={"every_steps": 1000},
            )
            work(run.path)
            rows["runs"] += 1
            rows["completed"] += run.read_state().state == "completed"
            rows["steps"] += len(losses(run))
            for anomaly in of(run, "anomaly"):
                rows["alarms"] += 1
                said.append(f"{method} at {rate:g}: {anomaly.cause}")
    print("\nReal runs of the tiny model, five methods, sound settings")
    print(", ".join(f"{name}: {rows[name]}" for name in ("runs", "completed", "steps", "alarms")))
    print(*said, sep="\n")


if __name__ == "__main__":
    main()
