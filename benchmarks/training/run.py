"""`make bench-training`: our training against TRL's SFTTrainer on the same model, data, seed, batches and settings."""

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from peft_engine.training.process import suited

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
DATA = ROOT / "examples/support-desk/train.jsonl"
CACHE = Path(os.environ.get("PEFTW_CACHE") or Path.home() / ".cache/peft-workbench")
METHODS = ("lora", "rslora", "dora", "pissa", "qlora", "full")
TASK = {
    "r": 16,
    "alpha": 32,
    "seed": 42,
    "batch_size": 8,
    "learning_rate": 2e-3,
    "warmup_steps": 5,
    "max_length": 256,
}
FULL_RATE = 2e-5
"""The learning rate of full fine-tuning, which an adapter's would throw off."""


@dataclass(frozen=True)
class Contestant:
    """One way to train."""

    name: str
    script: str
    settings: dict[str, Any]
    exact: bool
    """Whether it computes in float32."""

    environment: Mapping[str, str] = field(default_factory=dict)
    """What its libraries read at their start; by itself torch has threads spin, and memory comes in small pages."""


OURS = (
    Contestant("ours float32", "ours.py", {"precision": "float32"}, exact=True, environment=suited({})),
    Contestant("ours bfloat16", "ours.py", {"precision": "bfloat16"}, exact=False, environment=suited({})),
    # As TRL's defaults do.
    Contestant(
        "ours bfloat16, computed again",
        "ours.py",
        {"precision": "bfloat16", "gradient_checkpointing": True},
        exact=False,
        environment=suited({}),
    ),
)
DEFAULTS = Contestant("TRL defaults", "peer.py", {}, exact=False)
PLAIN = {"gradient_checkpointing": False}
PEERS = (
    DEFAULTS,
    Contestant("TRL bfloat16", "peer.py", PLAIN, exact=False),
    Contestant("TRL bfloat16, environment as ours", "peer.py", PLAIN, exact=False, environment=suited({})),
    Contestant("TRL float32", "peer.py", {**PLAIN, "bf16": False}, exact=True),
    # The examples come cut already, which TRL wants to be told.
    Contestant(
        "TRL bfloat16 padding-free",
        "peer.py",
        {**PLAIN, "padding_free": True, "max_length": None},
        exact=False,
    ),
)


@dataclass
class Samples:
    """What was measured of one contestant with one method."""

    losses: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    """Tokens a second, one figure a step; the first step of a run is left out."""
    processor: list[float] = field(default_factory=list)
    """Tokens a second of processor time, which other work on the machine disturbs less."""
    peak: list[float] = field(default_factory=list)
    floor: list[float] = field(default_factory=list)


def peer_python() -> Path:
    """Return the Python of the peer's environment, which is made at the first call and sees ours behind its own."""
    requirements = HERE / "requirements.txt"
    versions = "-".join(line.replace("==", "-") for line in requirements.read_text().split())
    folder = CACHE / f"benchmark-{versions}"
    python = folder / "bin/python"
    if not (folder / "complete").is_file():
        print(f"making the peer's environment in {folder}", flush=True)
        venv.create(folder, with_pip=True, clear=True)
        ours = next(path for path in sys.path if path.endswith("site-packages"))
        theirs = next((folder / "lib").glob("python*/site-packages"))
        (theirs / "ours.pth").write_text(ours + "\n")
        install = [python, "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt", "-r", requirements]
        subprocess.run(install, check=True)
        (folder / "complete").touch()
    return python


def prepare(folder: Path, steps: int) -> dict[str, Any]:
    """Return what every contestant is given: the base, ready to train, and the examples in our tokens and order."""
    from transformers import AutoTokenizer

    from peft_engine.datasets import load_dataset, mix
    from peft_engine.models import resolve_base
    from peft_engine.models.materialise import materialise
    from peft_engine.training.data.tokens import ExampleTokeniser
    from peft_schemas.config import DatasetConfig

    models = CACHE / f"test-models-{metadata.version('transformers')}-2"
    models.mkdir(parents=True, exist_ok=True)
    (folder / "models").symlink_to(models)
    os.environ["PEFTW_HOME"] = str(folder)
    base = materialise(resolve_base("HuggingFaceTB/SmolLM2-135M-Instruct")).hf_dir
    tokenise = ExampleTokeniser(
        AutoTokenizer.from_pretrained(base), max_length=TASK["max_length"], completion_only=True
    )
    loaded = load_dataset(DatasetConfig(path=DATA.name), DATA.parent)
    examples = [example for example in tokenise(mix([(loaded.examples, 1.0)], TASK["seed"])) if example is not None]
    return {
        **TASK,
        "steps": steps,
        "base": str(base),
        "data": str(DATA),
        "folder": str(folder / "peer"),
        "examples": [
            {"input_ids": [int(token) for token in example.ids], "completion_mask": [int(f) for f in example.trained]}
            for example in examples
        ],
    }


def measure(contestant: Contestant, task: dict[str, Any], samples: Samples, folder: Path) -> None:
    """Train once in a process of its own and add what was measured."""
    python = Path(sys.executable) if contestant.script == "ours.py" else peer_python()
    file = folder / "task.json"
    file.write_text(json.dumps({**task, "settings": contestant.settings}))
    environment = {name: value for name, value in os.environ.items() if name not in suited({})}
    environment |= {"HF_HUB_OFFLINE": "1", **contestant.environment}
    done = subprocess.run([python, HERE / contestant.script, file], env=environment, capture_output=True)
    if done.returncode:
        raise SystemExit(f"{contestant.name} failed:\n{done.stderr.decode()[-3000:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    samples.losses = found["losses"]
    for clock, figures in ((found["wall"], samples.wall), (found["processor"], samples.processor)):
        spans = [after - before for before, after in itertools.pairwise(clock)]
        figures += [tokens / span for tokens, span in list(zip(found["tokens"], spans, strict=True))[1:]]
    samples.peak.append(found["peak"])
    samples.floor.append(found["floor"])
    print(f"{task['method']}, {contestant.name}: {samples.wall[-1]:.1f} tok/s", file=sys.stderr, flush=True)


def table(method: str, measured: dict[str, Samples]) -> None:
    """Print the figures of a method, and ours as ratios to the peer's."""
    print(f"\n{method}")
    print(f"  {'':33}{'tok/s':>8}{'tok/cpu-s':>11}{'peak MB':>9}{'less floor':>12}  loss of the last step")
    for name, found in measured.items():
        peak = statistics.median(found.peak)
        floor = statistics.median(found.floor)
        print(
            f"  {name:33}{statistics.median(found.wall):8.1f}{statistics.median(found.processor):11.1f}"
            f"{peak / 1e6:9.0f}{(peak - floor) / 1e6:12.0f}  {found.losses[-1]:.5f}"
        )
    exact = {contestant.name for contestant in (*OURS, *PEERS) if contestant.exact}
    peers = {name: found for name, found in measured.items() if name.startswith("TRL")}
    if not peers:
        return
    best = max(peers, key=lambda name: statistics.median(peers[name].wall))
    for ours in (contestant.name for contestant in OURS if contestant.name in measured):
        mine = measured[ours]
        for label, name in {"defaults": DEFAULTS.name, f"best ({best})": best}.items():
            if name not in peers:
                continue
            theirs = peers[name]
            print(
                f"  {ours} against TRL's {label}: "
                f"{statistics.median(mine.wall) / statistics.median(theirs.wall):.2f}x tokens/s, "
                f"{statistics.median(mine.processor) / statistics.median(theirs.processor):.2f}x a processor second, "
                f"{statistics.median(mine.peak) / statistics.median(theirs.peak):.2f}x memory, "
                f"loss apart by at most {apart(mine, theirs):.5f}"
            )
        for name, theirs in peers.items():
            if (ours in exact) == (name in exact):
                print(f"  {ours} and {name}, the same precision: loss apart by at most {apart(mine, theirs):.5f}")
    if "TRL float32" in peers and "TRL bfloat16" in peers:
        drift = apart(peers["TRL bfloat16"], peers["TRL float32"])
        print(f"  TRL's own bfloat16 and float32: loss apart by at most {drift:.5f}")


def apart(one: Samples, other: Samples) -> float:
    """Return the largest difference of two loss curves at a step, in nats a token."""
    return max(abs(a - b) for a, b in zip(one.losses, other.losses, strict=True))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--contestants", nargs="+", default=[c.name for c in (*OURS, *PEERS)])
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=1, help="times that each contestant trains, in turn")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        task = prepare(folder, chosen.steps)
        contestants = [c for c in (*OURS, *PEERS) if c.name in chosen.contestants]
        for method in chosen.methods:
            measured = {contestant.name: Samples() for contestant in contestants}
            rate = FULL_RATE if method == "full" else TASK["learning_rate"]
            for _ in range(chosen.rounds):
                for contestant in contestants:
                    given = {**task, "method": method, "learning_rate": rate}
                    measure(contestant, given, measured[contestant.name], folder)
            table(method, measured)
            sys.stdout.flush()


if __name__ == "__main__":
    main()
