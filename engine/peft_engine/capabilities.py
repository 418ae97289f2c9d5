"""What this version can train, said in one place for the checks, the worker and the documentation."""

from peft_schemas.config import MethodType, Precision, Quantization

TRAINABLE_METHODS: tuple[MethodType, ...] = ("lora", "qlora", "dora", "pissa", "rslora", "full")
TRAINABLE_QUANTIZATIONS: tuple[Quantization, ...] = ("none", "int8", "nf4", "fp4")
"""The packed ones where bitsandbytes is installed, of which the worker makes sure."""

COMPUTED_TYPES: dict[str, tuple[Precision, ...]] = {
    "cpu": ("float32", "bfloat16"),
    "mps": ("float32",),
    "cuda": ("float32", "bfloat16", "float16"),
}
"""The number types that a kind of device trains in; bfloat16 on a CUDA device only where that has it."""

HUB_DATASETS = False
"""Whether a dataset can be named by its id on the hub, beside files."""
