"""Which architectures Transformers knows by itself."""

from functools import cache

from peft_engine.profiles import read_data
from peft_schemas.base import Word


class NativeModels(Word):
    """The content of `native_models.yaml`."""

    model_types: list[str]


def is_native(model_type: str) -> bool:
    """Tell whether Transformers has a causal language model of a `model_type` without the model's own code."""
    return model_type in _native()


@cache
def _native() -> frozenset[str]:
    return frozenset(NativeModels.model_validate(read_data("native_models.yaml")).model_types)
