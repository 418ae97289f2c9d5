"""Adapters from strangers: each is refused with a sentence, at no cost, and the answers beside it go on."""

import json
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from peft_engine.inference.contract import AdapterUse, Engine
from peft_engine.inference.transformers.adapters import Adapters
from peft_schemas.errors import WorkbenchError
from tests.integration.serving.engines.asking import LONG, Answer, answer, finish, request
from tests.integration.serving.engines.conftest import ADAPTED, Forms, Kind
from tests.property.strategies import examples

pytestmark = pytest.mark.model
CODES = ("model-unreadable", "model-damaged", "model-truncated", "adapter-missing", "not-supported", "pickle-refused")
HUGE = 10**9


def refuse(engine: Engine, path: Path) -> str:
    """See that an adapter is refused while an answer is open, which goes on, and return the sentence."""
    expected = answer(engine, request("Tell me."))[0].text
    running, found = engine.open(request("Tell me.")), Answer()
    engine.step()
    found.add(running)
    with pytest.raises(WorkbenchError) as refused:
        engine.open(request("Hello.", path))
    (rest,) = finish(engine, [running])
    running.close()
    assert found.text + rest.text == expected
    assert refused.value.code in CODES
    assert "\n" not in refused.value.message
    assert len(refused.value.message) < 1000
    return refused.value.message


def changed(forms: Forms, target: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """Write a copy of a sound adapter with other tensors."""
    shutil.copytree(forms.first, target)
    tensors = load_file(target / "adapter_model.safetensors")
    change(tensors)
    save_file(tensors, target / "adapter_model.safetensors")
    return target


def with_settings(forms: Forms, target: Path, **entries: Any) -> Path:
    """Write a copy of a sound adapter with other settings."""
    shutil.copytree(forms.first, target)
    path = target / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))
    return target


@pytest.fixture
def peft(tiny_forms: dict[Kind, Forms]) -> Forms:
    """The base and a sound adapter as PEFT saves it."""
    return tiny_forms["transformers"]


@pytest.fixture(scope="module")
def transformers(tiny_forms: dict[Kind, Forms]):
    """One engine for all attacks: each must leave it unharmed."""
    engine = tiny_forms["transformers"].load()
    yield engine
    engine.unload()


@pytest.fixture(scope="module")
def llama(tiny_forms: dict[Kind, Forms]):
    """One engine for all attacks: each must leave it unharmed."""
    engine = tiny_forms["llama"].load()
    yield engine
    engine.unload()


LAYER = "base_model.model.model.layers.0.self_attn.q_proj"
MISSING = LAYER.replace("0", "9")


def _fill(tensors: dict[str, torch.Tensor], value: float) -> None:
    tensors[f"{LAYER}.lora_A.weight"][0, 0] = value


TENSORS: dict[str, Callable[[dict[str, torch.Tensor]], object]] = {
    "NaN": lambda held: _fill(held, float("nan")),
    "infinity": lambda held: _fill(held, float("-inf")),
    "integers": lambda held: held.update({f"{LAYER}.lora_A.weight": torch.ones(4, 64, dtype=torch.int64)}),
    "another rank": lambda held: held.update({f"{LAYER}.lora_A.weight": torch.ones(5, 64)}),
    "another width": lambda held: held.update({f"{LAYER}.lora_A.weight": torch.ones(4, 65)}),
    "one side": lambda held: held.pop(f"{LAYER}.lora_B.weight"),
    "a vector": lambda held: held.update({f"{LAYER}.lora_A.weight": torch.ones(64)}),
    "no numbers": lambda held: held.update({f"{LAYER}.lora_A.weight": torch.ones(0, 64)}),
    "a layer that there is not": lambda held: held.update({f"{MISSING}.lora_A.weight": torch.ones(4, 64)}),
    "a weight of the base": lambda held: held.update({f"{LAYER}.weight": torch.ones(64, 64)}),
    "nothing": lambda held: held.clear(),
}  # fmt: skip


@pytest.mark.parametrize("change", TENSORS.values(), ids=TENSORS)
def test_E24_tensors_that_are_none_or_do_not_fit_are_refused(
    transformers: Engine, peft: Forms, tmp_path: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    assert "does not fit its base" in refuse(transformers, changed(peft, tmp_path / "adapter", change))


SETTINGS: dict[str, dict[str, Any]] = {
    "a rank of a thousand million": {"r": HUGE},
    "a rank beyond any number": {"r": 10**40},
    "a negative rank": {"r": -4},
    "a rank of truth": {"r": True},
    "a rank of its own beyond memory": {"rank_pattern": {"q_proj": HUGE}},
    "an alpha that is none": {"lora_alpha": float("nan")},
    "an infinite alpha": {"lora_alpha": float("inf")},
    "an alpha beyond float": {"lora_alpha": 10**400},
    "an alpha in words": {"lora_alpha": "16"},
    "an expression that takes forever in ranks": {"rank_pattern": {"(.*)*(.*)*(.*)*x": 4}},
    "an expression that takes forever in alphas": {"alpha_pattern": {"(.*)*(.*)*(.*)*x": 4}},
    "the whole base as a module of its own": {"modules_to_save": ["model"]},
    "every layer as a module of its own": {"modules_to_save": ["q_proj", "mlp"]},
    "tokens that it does not hold": {"trainable_token_indices": list(range(1000))},
    "tokens in words": {"trainable_token_indices": {"embed_tokens": ["all"]}},
    "a method of another kind": {"peft_type": {"LORA": 1}},
    "a base beyond the layers": {"layer_replication": [[0, HUGE]]},
    "parameters": {"target_parameters": ["mlp.experts.gate_up_proj"]},
}


@pytest.mark.parametrize("entries", SETTINGS.values(), ids=SETTINGS)
def test_E24_settings_that_lie_or_never_end_are_refused(
    transformers: Engine, peft: Forms, tmp_path: Path, entries: dict[str, Any]
) -> None:
    refuse(transformers, with_settings(peft, tmp_path / "adapter", **entries))


def test_E24_what_settings_name_is_neither_opened_nor_imported(
    transformers: Engine, peft: Forms, tmp_path: Path
) -> None:
    expected = answer(transformers, request("Tell me.", peft.first))[0].text
    harmless = with_settings(
        peft,
        tmp_path / "adapter",
        base_model_name_or_path="../../../../etc/passwd",
        revision="../..",
        auto_mapping={"base_model_class": "system", "parent_library": "os"},
        runtime_config={"ephemeral_gpu_offload": True},
        target_modules="(.*)*(.*)*(.*)*(.*)*x",
        exclude_modules="(.*)*(.*)*(.*)*(.*)*x",
        layers_pattern="(.*)*(.*)*x",
        loftq_config={"loftq_bits": 4},
        unknown=[[[[]]]],
    )
    assert answer(transformers, request("Tell me.", harmless))[0].text == expected


@pytest.mark.parametrize(
    "content",
    [b"[" * 100_000, b'{"r":' * 50_000, b'{"r": 4} ' + bytes(2**21), b"\xff\xfe{}", b"null", b'{"r": 1e999}'],
    ids=["deep", "deeper", "long", "no-utf8", "null", "beyond"],
)
def test_E24_settings_that_are_no_settings_are_refused(
    transformers: Engine, peft: Forms, tmp_path: Path, content: bytes
) -> None:
    path = with_settings(peft, tmp_path / "adapter")
    (path / "adapter_config.json").write_bytes(content)
    assert "adapter_config.json" in refuse(transformers, path)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"x" * (2**20 + 1)], ids=["no-utf8", "long"])
def test_E24_a_template_that_is_no_text_is_refused(
    transformers: Engine, peft: Forms, tmp_path: Path, content: bytes
) -> None:
    path = with_settings(peft, tmp_path / "adapter")
    (path / "chat_template.jinja").write_bytes(content)
    assert "chat_template.jinja" in refuse(transformers, path)


def test_E24_a_refused_rank_takes_no_memory(transformers: Engine, peft: Forms, tmp_path: Path) -> None:
    before = transformers.memory_bytes
    for number, rank in enumerate((10**5, 10**7)):
        refuse(transformers, with_settings(peft, tmp_path / f"adapter{number}", r=rank))
    assert transformers.memory_bytes == before


def _header(change: Callable[[dict[str, Any]], object]) -> Callable[[bytes], bytes]:
    def write(content: bytes) -> bytes:
        (length,) = struct.unpack_from("<Q", content)
        header = json.loads(content[8 : 8 + length])
        change(header)
        written = json.dumps(header).encode()
        return struct.pack("<Q", len(written)) + written + content[8 + length :]

    return write


def _first(header: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(value for name, value in header.items() if name != "__metadata__")
    return found


LIES: dict[str, Callable[[bytes], bytes]] = {
    "cut off": lambda content: content[:-4000],
    "cut off in its header": lambda content: content[:100],
    "nothing": lambda content: b"",
    "a header of 2^63 bytes": lambda content: struct.pack("<Q", 2**63) + content[8:],
    "tensors that overlap": _header(lambda header: _first(header).update(data_offsets=[0, 8])),
    "a tensor behind the end": _header(lambda header: _first(header).update(data_offsets=[2**40, 2**40 + 1024])),
    "an offset below nothing": _header(lambda header: _first(header).update(data_offsets=[-1, 1023])),
    "a shape of 2^62": _header(lambda header: _first(header).update(shape=[2**31, 2**31])),
    "a shape that is none": _header(lambda header: _first(header).update(shape="large")),
    "a type that there is not": _header(lambda header: _first(header).update(dtype="F33")),
    "a pickle": lambda content: b"\x80\x04cos\nsystem\n(S'true'\ntR.",
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_E24_a_header_that_lies_is_refused(
    transformers: Engine, peft: Forms, tmp_path: Path, lie: Callable[[bytes], bytes]
) -> None:
    path = with_settings(peft, tmp_path / "adapter")
    file = path / "adapter_model.safetensors"
    file.write_bytes(lie(file.read_bytes()))
    refuse(transformers, path)


@pytest.mark.parametrize("forms", ADAPTED, indirect=True, scope="session")
@pytest.mark.parametrize("kind", ["loop", "pipe", "device", "folder of itself"])
def test_E24_a_path_that_is_no_file_is_refused_and_not_waited_for(
    engine: Engine, forms: Forms, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / forms.first.name
    target = path
    if forms.kind == "transformers":
        shutil.copytree(forms.first, path)
        target = path / "adapter_model.safetensors"
        target.unlink()
    if kind == "loop":
        target.symlink_to(target)
    elif kind == "pipe":
        os.mkfifo(target)
    elif kind == "device":
        target.symlink_to("/dev/zero")
    else:
        target.symlink_to(target.parent)
    refuse(engine, path)


def _rewritten(source: Path, target: Path, change: Callable[[str, np.ndarray], np.ndarray]) -> Path:
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(target, "llama")
    for name, field in reader.fields.items():
        if not name.startswith("GGUF.") and name != "general.architecture":
            writer.add_key_value(name, field.contents(), field.types[0])
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, change(tensor.name, np.array(tensor.data)))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_E14_a_gguf_adapter_of_no_numbers_is_refused(
    llama: Engine, tiny_forms: dict[Kind, Forms], tmp_path: Path, value: float
) -> None:
    def spoil(name: str, held: np.ndarray) -> np.ndarray:
        if name.endswith("lora_b"):
            held[-1, -1] = value
        return held

    assert "no number" in refuse(llama, _rewritten(tiny_forms["llama"].first, tmp_path / "a.gguf", spoil))


def test_E14_a_gguf_adapter_with_another_number_of_layers_in_a_matrix_is_refused(
    llama: Engine, tiny_forms: dict[Kind, Forms], tmp_path: Path
) -> None:
    def deepen(name: str, held: np.ndarray) -> np.ndarray:
        return np.stack([held] * 7) if name.endswith("lora_a") else held

    assert "would be" in refuse(llama, _rewritten(tiny_forms["llama"].first, tmp_path / "a.gguf", deepen))


@examples(40)
@given(st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=8)), min_size=1, max_size=4))
def test_E14_a_mutated_gguf_adapter_is_loaded_or_refused_and_nothing_else(
    llama: Engine, tiny_forms: dict[Kind, Forms], tmp_path: Path, changes: list[tuple[float, bytes]]
) -> None:
    content = bytearray(tiny_forms["llama"].first.read_bytes())
    header = 4000
    for share, new in changes:
        place = int(share**2 * header)
        content[place : place + len(new)] = new
    path = tmp_path / "mutant.gguf"
    path.write_bytes(content)
    try:
        sequence = llama.open(request("Hello.", path, max_tokens=2))
    except WorkbenchError as error:
        assert error.code in CODES
        return
    finish_or_fail(llama, sequence)


def finish_or_fail(engine: Engine, sequence: Any) -> None:
    """Step until an answer has ended or cannot go on."""
    for _ in range(100):
        if sequence.finish_reason or sequence.failure:
            break
        engine.step()
    sequence.close()


@pytest.mark.parametrize("forms", ADAPTED, indirect=True, scope="session")
def test_E24_an_adapter_under_which_nothing_can_be_computed_fails_alone(
    engine: Engine, forms: Forms, tiny_forms: dict[Kind, Forms], tmp_path: Path
) -> None:
    if forms.kind == "transformers":
        path = changed(forms, tmp_path / "huge", lambda held: [tensor.fill_(3e38) for tensor in held.values()])
    else:
        path = _rewritten(forms.first, tmp_path / "huge.gguf", lambda _, held: np.full_like(held, 3e38))
    expected, alone = (one.text for one in (answer(engine, request(text))[0] for text in ("Tell me.", LONG)))
    failing, fine = engine.open(request(LONG + LONG, path)), engine.open(request("Tell me."))
    (found,) = finish(engine, [fine])
    while failing.failure is None:
        engine.step()

    assert found.text == expected
    assert failing.failure.code == "model-unreadable"
    assert failing.finish_reason is None
    for sequence in (failing, fine):
        sequence.close()
    # What it left in the K/V of its slot reaches nobody.
    assert {one.text for one in answer(engine, *[request(LONG)] * engine.slots)} == {alone}


@pytest.mark.parametrize("forms", ["onnx", "mlx"], indirect=True, scope="session")
def test_E17_a_graph_takes_no_adapter_and_does_not_look_at_it(engine: Engine, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "adapter.gguf")
    assert "no adapter" in refuse(engine, tmp_path / "adapter.gguf")


def test_E24_a_refused_adapter_leaves_no_module_behind(peft: Forms, tmp_path: Path) -> None:
    """What was refused half-way is taken out of the base again."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(peft.base, dtype=torch.float32)
    before = [name for name, _ in model.named_modules()]
    adapters = Adapters(model)
    bad = changed(peft, tmp_path / "bad", lambda held: held.update({"base_model.model.lm_head.bias": torch.ones(3)}))
    with pytest.raises(WorkbenchError):
        adapters.keys([AdapterUse(bad)], needed=set())
    assert [name for name, _ in model.named_modules()] == before
