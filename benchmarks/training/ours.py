"""One training run by our own worker, in a process of its own: reads a task, prints what it measured."""

import json
import sys
from pathlib import Path
from typing import Any

import clock

from peft_engine.rundir import EventTail, create_run_directory
from peft_engine.rundir.lay_out import lay_out
from peft_engine.training import session  # noqa: F401  (its libraries are part of the floor)
from peft_engine.training.worker import work
from peft_schemas.config import RunConfig


def main(task: dict[str, Any]) -> dict[str, Any]:
    """Lay out a run as the launcher does, do it, and return what was measured."""
    floor = clock.start()
    method = task["method"]
    adapter = {} if method == "full" else {"r": task["r"], "alpha": task["alpha"], "dropout": 0.0}
    config = RunConfig.model_validate(
        {
            "version": 1,
            "name": "benchmark",
            "model": {"base": task["base"], "quantization": "nf4" if method == "qlora" else "none"},
            "method": {"type": method, **adapter},
            "datasets": [{"path": task["data"]}],
            "training": {
                "max_steps": task["steps"],
                "batch_size": task["batch_size"],
                "learning_rate": task["learning_rate"],
                "warmup_steps": task["warmup_steps"],
                "max_length": task["max_length"],
                "seed": task["seed"],
                **task["settings"],
            },
            "checkpoint": {"every_steps": 1_000_000},
            "compute": {"device": "cpu", "backend": "transformers"},
        }
    )
    run = create_run_directory("benchmark")
    run.write_state(lay_out(run, config, Path(task["data"]).with_name("benchmark.peft.yaml")))
    code = work(run.path)
    if code:
        raise SystemExit(f"our worker failed: {run.path}")
    metrics = [event.values for event in EventTail(run.events).read() if event.type == "metric"]
    tokens = [int(values["tokens"] or 0) for values in metrics]
    return {
        **clock.noted(floor),
        "losses": [values["loss"] for values in metrics],
        "tokens": [after - before for before, after in zip([0, *tokens], tokens, strict=False)],
    }


if __name__ == "__main__":
    print("\n" + json.dumps(main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))))
