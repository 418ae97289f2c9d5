"""The runs that every backend must do alike: `python -m tests.integration.training.contract_runs BACKEND BASE FOLDER`.

A process of its own, because a backend is imported before everything else and changes what is imported after it. The
runs are left in the state folder under their names; beside each stands what was seen of its model at the end.
"""

import json
import sys
from pathlib import Path
from typing import Any

from peft_engine.backends.choose import choose_backend
from peft_engine.rundir import RunDirectory
from peft_engine.training.backends import open_backend
from peft_schemas.config import RunConfig

STEPS = 6
EXAMPLES = 24
IDS = [[5, 17, 101, 33, 7, 64, 90, 12, 41, 3]]
SEEN = "seen.json"
OBSERVED = "logits.safetensors"

LORA = {"type": "lora", "r": 4, "alpha": 8}
ALL_AT_ONCE = {"batch_size": EXAMPLES, "max_steps": STEPS, "max_length": 96}
RUNS: dict[str, dict[str, Any]] = {
    "plain": {"method": LORA, "training": {"max_steps": STEPS}},
    "packed": {"method": LORA, "training": {**ALL_AT_ONCE, "packing": True}},
    "unpacked": {"method": LORA, "training": ALL_AT_ONCE},
    "dropped": {"method": {**LORA, "dropout": 0.2}, "training": {"max_steps": STEPS, "packing": True}},
    "recomputed": {"method": LORA, "training": {"max_steps": STEPS, "gradient_checkpointing": True}},
    "rslora": {"method": {**LORA, "type": "rslora"}, "training": {"max_steps": STEPS}},
    "full": {"method": {"type": "full"}, "training": {"max_steps": STEPS, "learning_rate": 0.001}},
    "qlora": {"method": {**LORA, "type": "qlora"}, "model": {"quantization": "nf4"}, "training": {"max_steps": STEPS}},
    "measured": {
        "method": LORA,
        "training": {"max_steps": STEPS},
        "evaluation": {"split": 0.25, "every_steps": 2},
    },
}
"""The sections of each, over the small defaults of the workshop."""

INTERRUPTED = "interrupted"
"""The one that is `dropped`, with a pause and a crash on its way."""


def main(backend: str, base: str, folder: str) -> None:
    """Do all runs with one backend."""
    config = RunConfig.model_validate(
        {"version": 1, "model": {"base": base}, "datasets": [{"path": "x"}], "compute": {"backend": backend}}
    )
    open_backend(choose_backend(config, Path(base)))
    from tests.integration.training.interruption import interrupted
    from tests.integration.training.workshop import Workshop, finished

    shop = Workshop(Path(folder), base)
    shop.dataset(count=EXAMPLES)
    with_model = _Witness()
    for name, sections in [*RUNS.items(), (INTERRUPTED, RUNS["dropped"])]:
        sections = {**sections, "compute": {"backend": backend}, "model": {"base": base, **sections.get("model", {})}}
        run = shop.make(**sections)
        with_model.run = run
        if name == INTERRUPTED:
            interrupted(run, pauses={2}, crashes={6})
        else:
            final = finished(run)
            assert final.type == "completed", final
        run.path.rename(run.path.with_name(name))


class _Witness:
    """Looks at the model of each run when its result is written."""

    run: RunDirectory

    def __init__(self) -> None:
        import torch
        from safetensors.torch import load_file, save_file

        from peft_engine.training import session

        save = session.save_artifact

        def look(run: RunDirectory, trainable: Any, *rest: Any, **named: Any) -> Any:
            model = trainable.model.eval()
            with torch.no_grad():
                save_file({"logits": model(torch.tensor(IDS)).logits.contiguous()}, run.path / OBSERVED)
            base = load_file(Path(self.run.read_state().base) / "model.safetensors")
            held = {
                name.removeprefix("base_model.model.").replace(".base_layer.", "."): tensor
                for name, tensor in model.named_parameters()
            }
            frozen = [name for name, tensor in base.items() if name in held and not held[name].requires_grad]
            seen = {
                "modules": sorted({name.partition(".")[0] for name in sys.modules} & {"unsloth", "unsloth_zoo"}),
                "frozen": len(frozen),
                "changed": [name for name in frozen if held[name].dtype == base[name].dtype
                            and not torch.equal(held[name], base[name])],
                "chunked_loss": bool(getattr(getattr(model, "base_model", None), "model", model).__dict__.get(
                    "_unsloth_cpu_chunked_ce"
                )),
            }  # fmt: skip
            (run.path / SEEN).write_text(json.dumps(seen))
            return save(run, trainable, *rest, **named)

        session.save_artifact = look  # type: ignore[assignment]


if __name__ == "__main__":
    main(*sys.argv[1:])
