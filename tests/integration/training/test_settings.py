"""What the keys beside the basic ones do, on a model small enough to train in milliseconds."""

import json
import shutil

import gguf
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from peft_engine.training import session
from peft_engine.training.precision import cpu_multiplies_bfloat16
from tests.integration.training.workshop import finished, losses, of

STILL = {"max_steps": 3, "lr_scheduler": "constant"}


@pytest.fixture
def loop(monkeypatch):
    """The Trainer of the last run, as it was when the training ended."""
    seen = {}
    fit = session.Tuner.fit

    def watch(self, resume):
        seen["tuner"] = self
        return fit(self, resume)

    monkeypatch.setattr(session.Tuner, "fit", watch)
    return lambda: seen["tuner"]


def weights(run):
    return load_file(run.adapter / "adapter_model.safetensors")


def completed(workshop, **sections):
    run = workshop.make(**sections)
    end = finished(run)
    assert end.type == "completed", end
    return run


def rates(run):
    return [event.values["learning_rate"] for event in of(run, "metric")]


@pytest.mark.parametrize(
    ("optimizer", "kind", "rate"),
    [
        ("adamw", "AdamW", 0.01),
        ("adamw_8bit", "AdamW", 0.01),
        ("paged_adamw_8bit", "AdamW", 0.01),
        ("adafactor", "Adafactor", 0.01),
        ("sgd", "SGD", 0.9),
    ],
)
def test_each_optimizer_is_the_one_that_is_named_and_learns(workshop, loop, optimizer, kind, rate):
    run = completed(
        workshop,
        training={"optimizer": optimizer, "learning_rate": rate, "batch_size": 24, "weight_decay": 0.1},
        # bitsandbytes keeps matrices of 4096 numbers and more in 8 bits.
        method={"type": "lora", "r": 128},
    )
    named = loop().optimizer.optimizer
    assert kind in {one.__name__ for one in type(named).__mro__}
    assert losses(run)[-1] < losses(run)[0]
    kept = {value.dtype for state in named.state.values() for value in state.values() if torch.is_tensor(value)}
    assert (torch.uint8 in kept) == ("8bit" in optimizer)
    assert getattr(named, "is_paged", False) == optimizer.startswith("paged")


def test_lora_plus_lets_b_learn_faster_than_a(workshop, loop):
    run = completed(
        workshop,
        method={"type": "lora", "lora_plus_ratio": 16.0},
        training={**STILL, "learning_rate": 0.001, "weight_decay": 0.1},
    )
    names = {id(p): name for name, p in loop().model.named_parameters()}
    groups = {
        side: {
            (group["lr"], group["weight_decay"])
            for group in loop().optimizer.param_groups
            for p in group["params"]
            if side in names[id(p)]
        }
        for side in ("lora_A", "lora_B")
    }
    assert groups == {"lora_A": {(0.001, 0.1)}, "lora_B": {(0.016, 0.1)}}
    assert rates(run) == [0.001] * 3


@pytest.mark.parametrize(
    ("scheduler", "expected"),
    [
        ("polynomial", [0, 0.5, 1, 2 / 3, 1 / 3]),
        ("inverse_sqrt", [0, 0.5, 1, (2 / 3) ** 0.5, 0.5**0.5]),
        ("cosine_with_restarts", [0, 0.5, 1, 0.75, 0.25]),
    ],
)
def test_the_further_schedules_rise_for_a_share_of_the_steps_and_fall(workshop, scheduler, expected):
    training = {"lr_scheduler": scheduler, "warmup_ratio": 0.4, "max_steps": 5, "learning_rate": 0.001}
    run = completed(workshop, training=training)
    assert rates(run) == pytest.approx([0.001 * share for share in expected], rel=1e-5)


def test_a_tiny_rate_has_a_polynomial_schedule_too(workshop):
    assert rates(completed(workshop, training={"lr_scheduler": "polynomial", "learning_rate": 1e-8}))[0] == 1e-8


def test_a_cadence_below_one_is_a_share_of_the_steps(workshop):
    run = completed(
        workshop,
        training={"max_steps": 8},
        evaluation={"split": 0.25, "every_steps": 0.25},
        checkpoint={"every_steps": 0.5},
    )
    assert [event.step for event in of(run, "evaluation")] == [2, 4, 6, 8]
    assert [event.step for event in of(run, "checkpoint")] == [4, 8]


def test_the_loss_in_bfloat16_is_near_the_one_in_float32(workshop):
    exact = completed(workshop, training={"max_steps": 1, "precision": "float32"})
    rounded = completed(workshop, training={"max_steps": 1, "precision": "bfloat16"})
    assert losses(rounded) != losses(exact)
    assert losses(rounded) == pytest.approx(losses(exact), rel=0.01)
    chosen = rounded if cpu_multiplies_bfloat16() else exact
    assert losses(completed(workshop, training={"max_steps": 1, "precision": "auto"})) == losses(chosen)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("method", ["lora", "full"])
def test_no_method_and_no_precision_makes_logits_of_a_whole_batch(workshop, tiny_base, monkeypatch, method, precision):
    """The output layer itself is never called: its product is made where something is learned, chunk by chunk."""
    vocabulary = AutoModelForCausalLM.from_pretrained(tiny_base).lm_head.out_features
    forward, called = torch.nn.Linear.forward, []

    def watched(self, x):
        called.append(self.out_features)
        return forward(self, x)

    monkeypatch.setattr(torch.nn.Linear, "forward", watched)
    completed(
        workshop,
        method={"type": method},
        training={"max_steps": 2, "precision": precision},
        evaluation={"split": 0.25, "every_steps": 1},
    )
    assert vocabulary not in called


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_another_attention_gives_the_same_losses(workshop, attention):
    training = {"packing": True, "max_steps": 2}
    model = {"base": workshop.base, "attention": attention}
    assert losses(completed(workshop, training=training, model=model)) == pytest.approx(
        losses(completed(workshop, training=training)), rel=1e-5
    )


@pytest.mark.parametrize("modules", [["lm_head"], ["embed_tokens", "lm_head"]])
def test_whole_modules_are_trained_and_open_in_plain_peft(workshop, tiny_base, modules):
    from peft import PeftModel

    run = completed(workshop, method={"type": "lora", "modules_to_save": modules})
    trained = weights(run)
    before = AutoModelForCausalLM.from_pretrained(tiny_base)
    opened = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny_base), run.adapter).state_dict()
    for module in modules:
        (name,) = (name for name in trained if module in name)
        (original,) = (tensor for key, tensor in before.state_dict().items() if module in key)
        assert not torch.equal(trained[name], original)
        assert any(torch.equal(tensor, trained[name]) for key, tensor in opened.items() if module in key)
    assert not run.gguf.exists()
    assert any(modules[0] in event.message and "GGUF" in event.message for event in of(run, "log"))


def test_tied_embeddings_stay_tied_when_one_of_them_is_trained(workshop, tiny_base):
    from peft import PeftModel

    tied = workshop.folder / "tied"
    model = AutoModelForCausalLM.from_pretrained(tiny_base, tie_word_embeddings=True)
    model.tie_weights()
    model.save_pretrained(tied)
    AutoTokenizer.from_pretrained(tiny_base).save_pretrained(tied)
    run = completed(workshop, model={"base": str(tied)}, method={"type": "lora", "modules_to_save": ["embed_tokens"]})
    opened = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tied), run.adapter).merge_and_unload()
    assert torch.equal(opened.get_input_embeddings().weight, opened.get_output_embeddings().weight)
    assert not torch.equal(opened.get_input_embeddings().weight, model.get_input_embeddings().weight)


def test_a_module_to_save_that_is_not_there_is_told(workshop):
    end = finished(workshop.make(method={"type": "lora", "modules_to_save": ["lm_haed"]}))
    assert end.error.code == "no-target-module"
    assert "`lm_haed` in `method.modules_to_save`" in end.error.message
    assert "lm_head" in end.error.remedy


def test_the_chat_template_of_the_config_writes_the_conversations(workshop):
    (workshop.folder / "templates").mkdir()
    turns = "{% for turn in messages %}[{{ turn.role }}]{{ turn.content }}\n{% endfor %}"
    template = turns + "{% if add_generation_prompt %}[assistant]{% endif %}"
    (workshop.folder / "templates/chat.jinja").write_text(template)
    own = completed(workshop, model={"base": workshop.base, "chat_template": "templates/chat.jinja"})
    assert losses(own) != losses(completed(workshop))
    assert (own.adapter / "chat_template.jinja").read_text() == template
    assert gguf.GGUFReader(own.gguf).fields["tokenizer.chat_template"].contents() == template


@pytest.mark.parametrize(
    ("content", "what"),
    [(None, "cannot be read"), (b"\xff\xfe", "cannot be read"), (b"{% for %}", "cannot write a conversation")],
)
def test_a_chat_template_that_is_no_use_is_told(workshop, content, what):
    if content is not None:
        (workshop.folder / "chat.jinja").write_bytes(content)
    end = finished(workshop.make(model={"base": workshop.base, "chat_template": "chat.jinja"}))
    assert (end.type, end.error.code) == ("failed", "config-invalid")
    assert what in end.error.message


CODE = """
from transformers import LlamaConfig, LlamaForCausalLM

class OwnConfig(LlamaConfig):
    model_type = "own-llama"

class OwnModel(LlamaForCausalLM):
    config_class = OwnConfig
"""


@pytest.fixture
def base_with_code(workshop, tiny_base, monkeypatch):
    """The tiny base, as a model whose classes transformers does not have."""
    folder = workshop.folder / "coded"
    shutil.copytree(tiny_base, folder)
    config = json.loads((folder / "config.json").read_text())
    classes = {"AutoConfig": "modeling_own.OwnConfig", "AutoModelForCausalLM": "modeling_own.OwnModel"}
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "own-llama", "auto_map": classes}))
    (folder / "modeling_own.py").write_text(CODE + f"open({str(folder / 'ran')!r}, 'w').close()\n")
    return folder


def test_code_of_a_model_is_not_run_unasked(workshop, base_with_code):
    end = finished(workshop.make(model={"base": str(base_with_code)}))
    assert (end.type, end.error.code) == ("failed", "not-supported")
    assert "trust_remote_code" in end.error.remedy
    assert not (base_with_code / "ran").exists()


def test_code_of_a_trusted_model_is_run(workshop, base_with_code):
    run = completed(workshop, model={"base": str(base_with_code), "trust_remote_code": True}, export={"merge": True})
    assert (base_with_code / "ran").exists()
    # Layers that are not known keep their own forward, which rounds elsewhere than the fused ones.
    assert losses(run) == pytest.approx(losses(completed(workshop)), rel=1e-5)


def test_evaluation_takes_its_own_datasets_and_batch_size(workshop, loop):
    workshop.dataset("held-out.jsonl", count=5)
    run = completed(
        workshop,
        evaluation={
            "datasets": [{"path": "held-out.jsonl", "split": "[:3]"}],
            "every_steps": 2,
            "batch_size": 2,
            "split": 0.5,
        },
    )
    assert of(run, "plan")[0].examples == 24
    assert [event.values["examples"] for event in of(run, "evaluation")] == [3, 3]
    assert [len(batch["cu_seq_lens_q"]) - 1 for batch in loop().get_eval_dataloader()] == [2, 1]
    assert len(json.loads(run.environment.read_text())["datasets"]) == 2


@pytest.fixture
def ever_worse(workshop):
    """An evaluation whose loss rises from the first step on: its letters are in no training example."""
    record = {"prompt": "What is 1 and 2?", "completion": "ÄÖÜßéèêñøåæœ" * 3}
    (workshop.folder / "other.jsonl").write_text(json.dumps(record) + "\n")
    return {"datasets": [{"path": "other.jsonl"}], "every_steps": 1}


SIX_STEPS = {"max_steps": 6, "lr_scheduler": "constant"}


def test_a_run_stops_once_the_evaluation_gets_no_better(workshop, ever_worse):
    run = workshop.make(training={**SIX_STEPS, "early_stopping_patience": 2}, evaluation=ever_worse)
    end = finished(run)
    assert (end.type, end.step) == ("completed", 3)
    assert any("Stopped at step 3" in event.message for event in of(run, "log"))
    assert [event.step for event in of(run, "metric")] == [1, 2, 3]


@pytest.mark.parametrize(
    ("method", "saved", "result"),
    [("lora", "adapter_model.safetensors", "adapter"), ("full", "model.safetensors", "model")],
)
def test_the_best_weights_are_the_result(workshop, ever_worse, method, saved, result):
    run = completed(
        workshop,
        method={"type": method},
        training={**SIX_STEPS, "learning_rate": 0.01 if method == "lora" else 0.001},
        evaluation=ever_worse,
        checkpoint={"every_steps": 4, "keep": 1, "load_best": True},
    )
    assert [event.step for event in of(run, "checkpoint")] == [1, 4, 6]
    best = run.checkpoints / "step-000001"
    assert sorted(path.name for path in run.checkpoints.iterdir()) == [best.name, "step-000006"]
    expected, last = (load_file(folder / saved) for folder in (best, run.checkpoints / "step-000006"))
    made = load_file(run.path / result / saved)
    assert all(torch.equal(tensor, expected[name]) for name, tensor in made.items())
    assert not all(torch.equal(tensor, last[name]) for name, tensor in made.items())
    assert json.loads((best / "trainer_state.json").read_text())["best_model_checkpoint"] == str(best)
    assert any("the weights of step 1" in event.message for event in of(run, "log"))


@pytest.mark.parametrize(
    ("sections", "key"),
    [
        ({"training": {"early_stopping_patience": 2}}, "training.early_stopping_patience"),
        ({"checkpoint": {"load_best": True}}, "checkpoint.load_best"),
    ],
)
def test_what_goes_by_the_evaluation_needs_one(workshop, sections, key):
    end = finished(workshop.make(**sections))
    assert (end.type, end.error.code) == ("failed", "config-invalid")
    assert key in end.error.message


@pytest.mark.parametrize("method", ["lora", "dora", "pissa"])
def test_the_merged_model_needs_no_peft_and_computes_the_same(workshop, tiny_base, method):
    from peft import PeftModel

    run = workshop.make(method={"type": method, "r": 4}, export={"merge": True})
    end = finished(run)
    assert (end.type, end.merged) == ("completed", "merged")
    assert any(name.startswith("merged/") for name in run.read_manifest())
    ids = torch.tensor([[5, 20, 34, 99]])
    merged = AutoModelForCausalLM.from_pretrained(run.merged)
    adapted = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny_base), run.adapter)
    with torch.no_grad():
        torch.testing.assert_close(merged(ids).logits, adapted(ids).logits, rtol=1e-4, atol=1e-4)
    assert AutoTokenizer.from_pretrained(run.merged).chat_template is not None


def test_a_base_that_was_packed_is_merged_as_it_is_stored(workshop, tiny_base):
    run = completed(
        workshop, model={"base": workshop.base, "quantization": "nf4"}, method={"type": "qlora"}, export={"merge": True}
    )
    merged = load_file(run.merged / "model.safetensors")
    base = load_file(tiny_base / "model.safetensors")
    assert {name: (t.dtype, t.shape) for name, t in merged.items()} == {n: (t.dtype, t.shape) for n, t in base.items()}
    assert torch.equal(merged["model.embed_tokens.weight"], base["model.embed_tokens.weight"])
