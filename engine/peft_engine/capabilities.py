"""What this version can train, said in one place for the checks, the worker and the documentation."""

from peft_schemas.config import MethodType, Quantization

TRAINABLE_METHODS: tuple[MethodType, ...] = ("lora", "full")
TRAINABLE_QUANTIZATIONS: tuple[Quantization, ...] = ("none",)
