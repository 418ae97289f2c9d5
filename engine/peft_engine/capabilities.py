"""What this version can train, said in one place for the checks, the worker and the documentation."""

from peft_schemas.config import MethodType, Quantization

TRAINABLE_METHODS: tuple[MethodType, ...] = ("lora", "full")
TRAINABLE_QUANTIZATIONS: tuple[Quantization, ...] = ("none",)

HUB_DATASETS = False
"""Whether a dataset can be named by its id on the hub, beside files."""
