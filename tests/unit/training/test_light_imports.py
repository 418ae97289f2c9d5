import subprocess
import sys

import pytest

HEAVY = ("torch", "transformers", "numpy", "peft", "accelerate", "gguf", "safetensors", "huggingface_hub", "pyarrow")


@pytest.mark.parametrize(
    "module",
    [
        "peft_engine.datasets",
        "peft_engine.models",
        "peft_engine.models.materialise",
        "peft_engine.hardware",
        "peft_engine.look.answers",
        "peft_engine.rundir",
        "peft_engine.watching",
        "peft_engine.rundir.checkpoints",
        "peft_engine.training.worker",
    ],
)
def test_nothing_heavy_comes_with(module):
    code = f"import sys, {module}; print([name for name in {HEAVY!r} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert answer.stdout.strip() == "[]"
