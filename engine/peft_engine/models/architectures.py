"""How families of models name their modules, from `architectures.yaml`."""

import re
from collections.abc import Mapping
from functools import cache

from peft_engine.profiles import read_data
from peft_schemas.base import Word

_LAYER = "{n}"
_NUMBER = re.compile(r"(?<=\.)\d+(?=\.)")


class GgufNames(Word):
    """llama.cpp's names for a family."""

    architectures: dict[str, str]
    """`general.architecture` of the file, and the `model_type` that Transformers gives it."""

    tensors: dict[str, str]
    """The tensor's name without `.weight`, and the module's; `{n}` is the layer."""


class Family(Word):
    """Models whose modules are named alike."""

    model_types: list[str]
    prefix: str
    embeddings: list[str]
    head: str
    transposed: bool = False
    outlined: dict[str, int | None] = {}
    """Model types whose shapes follow from config.json, and the size of a head where it says none; None for the
    hidden size over the heads."""

    gguf: GgufNames | None = None

    def module(self, name: str) -> str:
        """Return the full name of the module that a checkpoint calls so."""
        whole = name == self.head or name.startswith(f"{self.prefix}.")
        return name if whole else f"{self.prefix}.{name}"

    def module_of_gguf(self, tensor: str) -> str | None:
        """Return the module whose weight a GGUF tensor is, None when it is no weight matrix of the family."""
        if self.gguf is None or not tensor.endswith(".weight"):
            return None
        name = tensor.removesuffix(".weight")
        number = _NUMBER.search(name)
        known = self.gguf.tensors.get(_NUMBER.sub(_LAYER, name, count=1))
        return known if known is None or number is None else known.replace(_LAYER, number.group())

    def linear(self, modules: Mapping[str, object]) -> frozenset[str]:
        """Return the last parts of the names that PEFT's `all-linear` takes: all matrices but tables and head."""
        last = {name.rpartition(".")[2] for name in modules if name != self.head}
        return frozenset(last.difference(self.embeddings))


class Families(Word):
    """The content of `architectures.yaml`."""

    families: list[Family]


def family_of(model_type: str | None) -> Family | None:
    """Return the family of one of Transformers' model types, None when it is not known."""
    return _by_model_type().get(model_type or "")


def model_type_of_gguf(architecture: str | None) -> str | None:
    """Return what Transformers calls an architecture of llama.cpp, None when it is not known."""
    return _by_gguf().get(architecture or "")


@cache
def _families() -> list[Family]:
    return Families.model_validate(read_data("architectures.yaml")).families


@cache
def _by_model_type() -> dict[str, Family]:
    return {name: family for family in _families() for name in family.model_types}


@cache
def _by_gguf() -> dict[str, str]:
    return {
        name: model_type
        for family in _families()
        if family.gguf is not None
        for name, model_type in family.gguf.architectures.items()
    }
