import pytest
from pydantic import ValidationError

from peft_engine.backends.facts import BackendFacts, backend_facts
from peft_engine.backends.limits import first_conflict
from peft_engine.profiles import read_data


@pytest.mark.parametrize("method", ["lora", "rslora", "full"])
def test_what_unsloth_trains_conflicts_with_nothing(config, method):
    for device in ("cpu", "cuda"):
        assert first_conflict(config(method={"type": method}), device) is None


@pytest.mark.parametrize(
    ("sections", "device", "path"),
    [
        ({"method": {"type": "dora"}}, "cpu", "method.type"),
        ({"method": {"type": "pissa"}}, "cuda", "method.type"),
        ({"model": {"base": "gpt2", "quantization": "int8"}}, "cpu", "model.quantization"),
        (
            {"model": {"base": "gpt2", "quantization": "nf4", "double_quantization": False}},
            "cpu",
            "model.double_quantization",
        ),
        ({"method": {"modules_to_save": ["lm_head"]}}, "cuda", "method.modules_to_save"),
        ({"training": {"optimizer": "adamw_8bit"}}, "cpu", "training.optimizer"),
        ({"model": {"base": "gpt2", "dtype": "float16"}}, "cpu", "model.dtype"),
        ({"model": {"base": "gpt2", "attention": "sdpa"}}, "cuda", "model.attention"),
        ({"compute": {"processes": 2}}, "cuda", "compute.processes"),
        ({}, "mps", "compute.device"),
    ],
)
def test_what_unsloth_would_replace_in_silence_is_a_conflict(config, sections, device, path):
    conflict = first_conflict(config(**sections), device)
    assert conflict is not None
    assert conflict.path == path
    assert "Unsloth does not train" in conflict.sentence
    assert "`compute.backend: transformers`" in conflict.remedy


@pytest.mark.parametrize(
    ("sections", "device"),
    [
        ({"training": {"optimizer": "adamw_8bit"}}, "cuda"),
        ({"model": {"base": "gpt2", "attention": "sdpa"}}, "cpu"),
        ({"model": {"base": "gpt2", "double_quantization": False}}, "cpu"),
    ],
    ids=["8-bit optimizer on a GPU", "attention on a CPU", "double quantization of nothing"],
)
def test_what_holds_for_one_device_only_is_no_conflict_on_the_other(config, sections, device):
    assert first_conflict(config(**sections), device) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data["unsloth"]["anywhere"].update({"method.kind": ["lora"]}),
        lambda data: data["unsloth"]["anywhere"].update({"method.type": []}),
        lambda data: data["bench"].update(skipped_steps=8),
        lambda data: data["choice"].update(faster_by=0.5),
        lambda data: data.update(more={}),
    ],
    ids=["no such key", "no value", "nothing measured", "slower is enough", "unknown part"],
)
def test_data_that_makes_no_sense_is_refused_when_it_is_read(change):
    data = read_data("backends.yaml")
    change(data)
    with pytest.raises(ValidationError):
        BackendFacts.model_validate(data)


def test_the_data_that_ships_is_sound():
    assert backend_facts().unsloth.by_device.keys() == {"cpu", "cuda"}
