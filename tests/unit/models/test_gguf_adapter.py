"""A GGUF adapter is held against its base before llama.cpp sees it: over some of these it would end the process."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from peft_engine.models.damage import DamagedFile
from peft_engine.models.gguf_adapter import check_gguf_adapter
from peft_engine.models.gguf_header import GgufHeader, check_gguf
from tests.unit.models.gguf_files import FLOAT32, INT32, STRING, UINT32, Gguf, Tensor, array, pair

KIND = {
    "general.type": pair("general.type", STRING, "adapter"),
    "general.architecture": pair("general.architecture", STRING, "llama"),
    "adapter.type": pair("adapter.type", STRING, "lora"),
    "adapter.lora.alpha": pair("adapter.lora.alpha", FLOAT32, 16.0),
}
A, B = Tensor("q.weight.lora_a", (8, 2)), Tensor("q.weight.lora_b", (2, 4))
"""Of a matrix of 4 rows and 8 columns, in GGUF's order."""


def laid_out(tensors: Sequence[Tensor]) -> Gguf:
    """Return a file with float32 tensors one behind the other."""
    placed, end = [], 0
    for tensor in tensors:
        placed.append(replace(tensor, offset=end))
        size = 4
        for side in tensor.shape:
            size *= side
        end += size + -size % 32
    return Gguf(tensors=placed, data=bytes(max(end, 32)))


@pytest.fixture
def base(tmp_path: Path) -> GgufHeader:
    path = tmp_path / "base.gguf"
    sound = [Tensor("q.weight", (8, 4)), Tensor("token_embd.weight", (8, 6)), Tensor("norm.weight", (8,))]
    experts = [Tensor("exps.weight", (8, 4, 3))]
    path.write_bytes(laid_out([*sound, *experts]).written())
    return check_gguf(path)


def adapter(tmp_path: Path, *tensors: Tensor, **settings: bytes | None) -> Path:
    """Write an adapter; settings replace those of a sound one, None removes one."""
    pairs = {**KIND, **{name.replace("__", "."): value for name, value in settings.items()}}
    file = replace(laid_out(tensors or (A, B)), pairs=[value for value in pairs.values() if value is not None])
    path = tmp_path / "adapter.gguf"
    path.write_bytes(file.written())
    return path


def test_E14_an_adapter_of_its_base_passes(tmp_path: Path, base: GgufHeader) -> None:
    table = (Tensor("token_embd.weight.lora_a", (2, 6)), Tensor("token_embd.weight.lora_b", (2, 8)))
    experts = (Tensor("exps.weight.lora_a", (8, 2, 3)), Tensor("exps.weight.lora_b", (2, 4, 3)))
    template = {"tokenizer__chat_template": pair("tokenizer.chat_template", STRING, "{{ messages }}")}
    header = check_gguf_adapter(adapter(tmp_path, A, B, *table, *experts, **template), base)
    assert header.chat_template == "{{ messages }}"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("general.type", None),
        ("general.type", pair("general.type", UINT32, 1)),
        ("general.type", pair("general.type", STRING, "model")),
        ("adapter.type", pair("adapter.type", STRING, "control_vector")),
        ("adapter.type", array("adapter.type", UINT32, [1])),
        ("general.architecture", pair("general.architecture", STRING, "qwen2")),
        ("general.architecture", pair("general.architecture", INT32, 1)),
        ("adapter.lora.alpha", None),
        ("adapter.lora.alpha", pair("adapter.lora.alpha", UINT32, 16)),
        ("adapter.lora.alpha", pair("adapter.lora.alpha", STRING, "16")),
        ("adapter.lora.alpha", pair("adapter.lora.alpha", FLOAT32, float("nan"))),
        ("adapter.lora.alpha", pair("adapter.lora.alpha", FLOAT32, float("inf"))),
        ("adapter.alora.invocation_tokens", array("adapter.alora.invocation_tokens", UINT32, [1])),
    ],
)
def test_E14_a_setting_over_which_llama_cpp_would_end_is_refused(
    tmp_path: Path, base: GgufHeader, name: str, value: bytes | None
) -> None:
    with pytest.raises(DamagedFile) as refused:
        check_gguf_adapter(adapter(tmp_path, **{name.replace(".", "__"): value}), base)
    assert any(word in str(refused.value) for word in (name, "family", "activated"))


TENSORS = {
    "no second matrix": (A,),
    "no first matrix": (B,),
    "neither": (A, B, Tensor("norm.weight", (8,))),
    "another tensor": (replace(A, name="z.weight.lora_a"), replace(B, name="z.weight.lora_b")),
    "of a vector": (Tensor("norm.weight.lora_a", (8, 2)), Tensor("norm.weight.lora_b", (2, 8))),
    "other columns": (replace(A, shape=(9, 2)), B),
    "other rows": (A, replace(B, shape=(2, 5))),
    "two ranks": (A, replace(B, shape=(3, 4))),
    "one number": (replace(A, shape=(1,)), replace(B, shape=(1,))),
    "no sides at all": (replace(A, shape=()), replace(B, shape=())),
    "a table of no sides": (Tensor("token_embd.weight.lora_a", ()), Tensor("token_embd.weight.lora_b", ())),
    "seven layers of a plain matrix": (replace(A, shape=(8, 2, 7)), B),
    "both in layers": (replace(A, shape=(8, 2, 7)), replace(B, shape=(2, 4, 7))),
    "experts that there are not": (Tensor("exps.weight.lora_a", (8, 2, 9)), Tensor("exps.weight.lora_b", (2, 4, 9))),
    "a table of two ranks": (Tensor("token_embd.weight.lora_a", (2, 6)), Tensor("token_embd.weight.lora_b", (3, 8))),
    "a table the other way round": (
        Tensor("token_embd.weight.lora_a", (8, 2)),
        Tensor("token_embd.weight.lora_b", (2, 6)),
    ),
}


@pytest.mark.parametrize("tensors", TENSORS.values(), ids=TENSORS)
def test_E14_matrices_that_do_not_multiply_to_the_bases_are_refused(
    tmp_path: Path, base: GgufHeader, tensors: tuple[Tensor, ...]
) -> None:
    with pytest.raises(DamagedFile):
        check_gguf_adapter(adapter(tmp_path, *tensors), base)


@pytest.mark.parametrize("kind", [24, 25, 26, 27, 28], ids=["int8", "int16", "int32", "int64", "float64"])
def test_E14_numbers_that_llama_cpp_cannot_multiply_are_refused(tmp_path: Path, base: GgufHeader, kind: int) -> None:
    # Each has its bytes, and more, so that the type is all that is wrong.
    path = adapter(tmp_path, replace(A, kind=kind), B)
    file = Gguf(
        pairs=[*KIND.values()],
        tensors=[replace(A, kind=kind), replace(B, offset={24: 32, 25: 32, 26: 64, 27: 128, 28: 128}[kind])],
        data=bytes(256),
    )
    path.write_bytes(file.written())
    with pytest.raises(DamagedFile, match="of a type"):
        check_gguf_adapter(path, base)
