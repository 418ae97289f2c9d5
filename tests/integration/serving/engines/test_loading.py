"""Loading and unloading: memory and files come back, and what cannot be loaded says why."""

import gc
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from peft_engine.inference.contract import Engine
from peft_schemas.errors import WorkbenchError
from tests.integration.serving.engines.asking import LONG, answer, request, said
from tests.integration.serving.engines.conftest import Forms, Kind

pytestmark = pytest.mark.model


def test_E22_unloading_gives_memory_files_and_processes_back(forms: Forms) -> None:
    def use() -> None:
        engine = forms.load()
        answer(engine, request(said("Hello."), *forms.taken[:1], max_tokens=3), request(LONG, max_tokens=3))
        engine.unload()
        del engine
        gc.collect()

    me = psutil.Process()
    use()
    before = me.memory_info().rss, len(me.open_files()), me.num_threads(), len(me.children())
    for _ in range(4):
        use()
    after = me.memory_info().rss, len(me.open_files()), me.num_threads(), len(me.children())

    # Each load takes more than 25 MB; what the allocator keeps is less than one.
    assert after[0] - before[0] < 25 * 2**20
    assert after[1:] == before[1:]


def test_E22_memory_is_accounted_for(fresh: Callable[..., Engine], forms: Forms) -> None:
    engine = fresh()
    weights = 2 * 49152 * 64 * 4
    bare = engine.memory_bytes
    sequence = engine.open(request(LONG, *forms.taken[:1], max_tokens=2))
    while sequence.finish_reason is None:
        engine.step()

    assert weights <= bare < 3 * weights
    assert engine.memory_bytes > bare
    sequence.close()


def test_a_context_beyond_what_the_model_was_made_for_is_not_promised(tiny_forms: dict[Kind, Forms]) -> None:
    from tests.integration.serving.engines.tiny import CONTEXT

    engine = tiny_forms["transformers"].load(context_length=4 * CONTEXT)
    assert engine.context_length == CONTEXT
    engine.unload()


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.json", "{"),
        ("config.json", '{"model_type": "llama"}'),
        ("config.json", '{"model_type": "qwen2", "num_hidden_layers": 1000000000}'),
        ("model.safetensors", ""),
        ("tokenizer.json", "{}"),
        ("tokenizer.json", None),
    ],
    ids=str,
)
def test_a_damaged_folder_is_refused(
    tiny_forms: dict[Kind, Forms], tmp_path: Path, file: str, content: str | None
) -> None:
    from peft_engine.inference.transformers import TransformersEngine

    folder = tmp_path / "damaged"
    shutil.copytree(tiny_forms["transformers"].base, folder)
    (folder / file).unlink()
    if content is not None:
        (folder / file).write_text(content)
    with pytest.raises(WorkbenchError) as refused:
        TransformersEngine(folder, context_length=64, threads=1)

    assert refused.value.code == "model-unreadable"
    assert "damaged" in refused.value.message


def test_E15_one_file_and_several_compute_what_the_model_in_memory_does(
    tiny_forms: dict[Kind, Forms], tmp_path: Path
) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    from peft_engine.inference.transformers import TransformersEngine
    from tests.integration.serving.engines.asking import first_logprobs

    one = tiny_forms["transformers"].base
    several = shutil.copytree(one, tmp_path / "several", ignore=shutil.ignore_patterns("*.safetensors"))
    model = AutoModelForCausalLM.from_pretrained(one, dtype=torch.float32)
    model.save_pretrained(several, max_shard_size="1MB")
    assert len(list(several.glob("model-*.safetensors"))) > 2
    prompt = list(range(1000, 1090))
    expected = model(input_ids=torch.tensor([prompt])).logits[0, -1].log_softmax(0).detach()
    for folder in (one, several):
        engine = TransformersEngine(folder, context_length=256, threads=1)
        found = first_logprobs(engine, prompt, top=49152)
        engine.unload()
        assert max(abs(found[token] - float(expected[token])) for token in range(49152)) < 1e-3


FAMILIES: dict[str, dict[str, Any]] = {
    "qwen2": {"num_key_value_heads": 2},
    "mistral": {"num_key_value_heads": 2, "sliding_window": 8},
    "phi3": {"num_key_value_heads": 4, "pad_token_id": 0},
    "gpt_neox": {"rotary_pct": 0.5},
}


@pytest.mark.parametrize("family", FAMILIES)
def test_families_are_computed_as_the_library_does(tiny_forms: dict[Kind, Forms], tmp_path: Path, family: str) -> None:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from peft_engine.inference.transformers import TransformersEngine
    from tests.integration.serving.engines.asking import first_logprobs

    folder = _family(tiny_forms["transformers"].base, tmp_path / family, family, FAMILIES[family])
    model = AutoModelForCausalLM.from_pretrained(folder, config=AutoConfig.from_pretrained(folder), dtype=torch.float32)
    prompt = list(range(1000, 1140))
    expected = model(input_ids=torch.tensor([prompt])).logits[0, -1].log_softmax(0).detach()
    engine = TransformersEngine(folder, context_length=256, threads=1)
    found = first_logprobs(engine, prompt, top=49152)
    engine.unload()

    assert max(abs(found[token] - float(expected[token])) for token in range(49152)) < 5e-3


@pytest.mark.parametrize("family", ["gemma2", "mamba"])
def test_a_family_that_cannot_be_computed_exactly_is_refused(
    tiny_forms: dict[Kind, Forms], tmp_path: Path, family: str
) -> None:
    from peft_engine.inference.transformers import TransformersEngine

    settings = {"gemma2": {"num_key_value_heads": 2, "head_dim": 16}, "mamba": {"state_size": 4}}[family]
    folder = _family(tiny_forms["transformers"].base, tmp_path / family, family, settings)
    with pytest.raises(WorkbenchError) as refused:
        TransformersEngine(folder, context_length=256, threads=1)

    assert refused.value.code == "not-supported"
    assert family in refused.value.message


def _family(base: Path, folder: Path, family: str, settings: dict[str, Any]) -> Path:
    """Write a random model of another family with the same tokenizer."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    sizes = {
        "vocab_size": 49152,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 256,
        "initializer_range": 0.1,
        "eos_token_id": 2,
    }
    config = AutoConfig.for_model(family, **{**sizes, **settings})
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    for file in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copyfile(base / file, folder / file)
    return folder
