"""What each setting does, on a model small enough to train in milliseconds."""

import json

import pytest
import torch
from safetensors.torch import load_file

from tests.integration.training.workshop import finished, losses, of

EIGHT_STEPS = {"max_steps": 8, "warmup_steps": 0, "lr_scheduler": "constant"}


def rates(run):
    return [event.values["learning_rate"] for event in of(run, "metric")]


def weights(run):
    return load_file(run.adapter / "adapter_model.safetensors")


def trained(workshop, **sections):
    run = workshop.make(**sections)
    assert finished(run).type == "completed"
    return run


def test_the_events_tell_the_run_from_start_to_end(workshop):
    run = trained(workshop, training={"max_steps": 4}, evaluation={"split": 0.25, "every_steps": 2})
    plan = of(run, "plan")[0]
    assert (plan.total_steps, plan.examples, plan.device, plan.dtype) == (4, 18, "cpu", "float32")
    assert 0 < plan.trainable_parameters < plan.total_parameters
    metrics = of(run, "metric")
    assert [event.step for event in metrics] == [1, 2, 3, 4]
    assert [event.step for event in of(run, "evaluation")] == [2, 4]
    assert of(run, "evaluation")[0].values["examples"] == 6
    for event in metrics:
        assert set(event.values) == {
            "loss", "learning_rate", "grad_norm", "tokens_per_second", "tokens", "memory_bytes", "cpu_percent",
            "machine_memory_share",
        }  # fmt: skip
        assert all(value is not None and value >= 0 for value in event.values.values())
    assert metrics[-1].eta_seconds == 0
    tokens = [event.values["tokens"] for event in metrics]
    assert tokens == sorted(set(tokens))
    states = [event.state for event in of(run, "state")]
    assert states[0] == "preparing"
    assert states.index("running") > max(i for i, state in enumerate(states) if state == "preparing")
    assert run.read_state().step == run.read_state().total_steps == 4


def test_what_completed_is_on_disk_and_hashed(workshop):
    run = workshop.make()
    end = finished(run)
    assert (end.adapter, end.gguf, end.step) == ("adapter", "adapter.gguf", 4)
    manifest = run.read_manifest()
    assert manifest == run.hash_artifacts([run.adapter, run.gguf])
    assert {"adapter/adapter_config.json", "adapter/adapter_model.safetensors", "adapter.gguf"} <= set(manifest)
    assert not [path for path in run.path.iterdir() if path.name.startswith(".") and "making" in path.name]


def test_the_environment_is_recorded(workshop):
    run = trained(workshop, training={"seed": 7})
    record = json.loads(run.environment.read_text())
    assert record["seed"] == 7
    assert record["packages"]["torch"] == torch.__version__
    assert record["hardware"]["logical_cores"] >= 1
    assert record["datasets"][0]["examples"] == 24
    assert len(record["datasets"][0]["sha256"]) == 64
    assert record["git"] is None


def test_the_same_seed_gives_the_same_run_to_the_bit(workshop):
    first, second = (trained(workshop, method={"type": "lora", "dropout": 0.1}) for _ in range(2))
    assert losses(first) == losses(second)
    assert all(torch.equal(tensor, weights(second)[name]) for name, tensor in weights(first).items())
    other = trained(workshop, method={"type": "lora", "dropout": 0.1}, training={"seed": 43})
    assert losses(first) != losses(other)


def test_accumulation_gives_the_gradient_of_the_whole_batch(workshop):
    """Examples differ in length, so a mean of means would differ."""
    path = workshop.folder / "train.jsonl"
    records = [{"prompt": f"q{n}", "completion": "a" * (1 + 7 * n)} for n in range(8)]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    whole = trained(workshop, training={"batch_size": 8, "max_steps": 3})
    parts = trained(workshop, training={"batch_size": 2, "gradient_accumulation_steps": 4, "max_steps": 3})
    assert losses(parts) == pytest.approx(losses(whole), rel=1e-4)
    norms = [[event.values["grad_norm"] for event in of(run, "metric")] for run in (whole, parts)]
    assert norms[0] == pytest.approx(norms[1], rel=1e-3)


def test_the_loss_is_the_cross_entropy_of_a_plain_forward_pass(workshop, tiny_base):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    run = trained(workshop, training={"batch_size": 24, "max_steps": 1})
    model, tokenizer = AutoModelForCausalLM.from_pretrained(tiny_base), AutoTokenizer.from_pretrained(tiny_base)
    total, count = 0.0, 0
    for n in range(24):
        head = f"<|im_start|>user\nWhat is {n} and {n + 1}?<|im_end|>\n<|im_start|>assistant\n"
        tail = f"It is {2 * n + 1}, said the owl.<|im_end|>"
        prompt, answer = (tokenizer(part, add_special_tokens=False)["input_ids"] for part in (head, tail))
        labels = torch.tensor([[-100] * len(prompt) + answer])
        with torch.no_grad():
            loss = model(torch.tensor([prompt + answer]), labels=labels).loss
        total, count = total + loss.item() * len(answer), count + len(answer)
    assert losses(run)[0] == pytest.approx(total / count, rel=1e-5)


def test_packing_joins_examples_and_keeps_their_loss(workshop):
    run = trained(workshop, training={"packing": True, "max_length": 256, "batch_size": 64, "max_steps": 1})
    apart = trained(workshop, training={"batch_size": 24, "max_steps": 1})
    assert losses(run) == pytest.approx(losses(apart), rel=1e-5)
    assert of(run, "plan")[0].examples == 24


def test_epochs_count_steps_and_max_steps_overrides_them(workshop):
    assert of(trained(workshop, training={"max_steps": None, "num_epochs": 1.5}), "plan")[0].total_steps == 9
    assert of(trained(workshop, training={"max_steps": 2, "num_epochs": 9}), "plan")[0].total_steps == 2


@pytest.mark.parametrize(
    ("scheduler", "warmup", "expected"),
    [
        ("constant", 0, [1, 1, 1, 1]),
        ("constant_with_warmup", 2, [0, 0.5, 1, 1]),
        ("linear", 0, [1, 0.75, 0.5, 0.25]),
        ("linear", 2, [0, 0.5, 1, 0.5]),
        ("cosine", 0, [1, 0.853553, 0.5, 0.146447]),
    ],
)
def test_the_learning_rate_follows_its_schedule(workshop, scheduler, warmup, expected):
    run = trained(workshop, training={"lr_scheduler": scheduler, "warmup_steps": warmup, "learning_rate": 0.001})
    assert rates(run) == pytest.approx([0.001 * share for share in expected], rel=1e-5)


def test_metrics_come_every_few_steps_and_at_the_last(workshop):
    run = trained(workshop, training={"max_steps": 5, "logging_steps": 2})
    assert [event.step for event in of(run, "metric")] == [2, 4, 5]


def test_checkpoints_come_every_few_steps_and_only_the_newest_stay(workshop):
    run = trained(workshop, training={"max_steps": 7}, checkpoint={"every_steps": 2, "keep": 2})
    assert [event.step for event in of(run, "checkpoint")] == [2, 4, 6, 7]
    kept = sorted(path.name for path in run.checkpoints.iterdir())
    assert kept == ["step-000006", "step-000007"]
    files = {path.name for path in (run.checkpoints / kept[0]).iterdir()}
    assert {"adapter_model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json"} <= files


def test_a_smaller_norm_limit_gives_smaller_steps(workshop):
    """Adam forgives scale, so a limit shows only through its epsilon: one far below it nearly stops the weights."""
    loose = trained(workshop, training={**EIGHT_STEPS, "max_grad_norm": 1.0})
    tight = trained(workshop, training={**EIGHT_STEPS, "max_grad_norm": 1e-12})
    assert losses(loose)[-1] < losses(tight)[-1]
    assert losses(tight)[-1] == pytest.approx(losses(tight)[0], rel=0.05)


def test_weight_decay_shrinks_what_is_trained(workshop):
    plain = trained(workshop, training={**EIGHT_STEPS, "max_grad_norm": 1e-12})
    decayed = trained(workshop, training={**EIGHT_STEPS, "max_grad_norm": 1e-12, "weight_decay": 0.9})
    name = next(name for name in weights(plain) if "lora_A" in name)
    ratio = weights(decayed)[name].norm() / weights(plain)[name].norm()
    assert ratio == pytest.approx((1 - 0.01 * 0.9) ** 8, rel=1e-3)


def test_gradient_checkpointing_changes_no_loss(workshop):
    plain = trained(workshop)
    recomputed = trained(workshop, training={"gradient_checkpointing": True})
    assert losses(recomputed) == pytest.approx(losses(plain), rel=1e-6)


def test_learning_the_prompt_too_learns_more_tokens(workshop):
    assert losses(trained(workshop, training={"completion_only_loss": False})) != losses(trained(workshop))


@pytest.mark.parametrize(
    ("targets", "layers"),
    [
        ("all-linear", {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}),
        (["q_proj", "v_proj"], {"q_proj", "v_proj"}),
        (r".*\.layers\.1\.mlp\.(up|down)_proj", {"up_proj", "down_proj"}),
    ],
)
def test_only_the_chosen_layers_get_an_adapter(workshop, targets, layers):
    run = trained(workshop, method={"type": "lora", "r": 3, "alpha": 6.0, "target_modules": targets})
    assert {name.split(".")[-3] for name in weights(run)} == layers
    config = json.loads((run.adapter / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"]) == (3, 6)


def test_full_fine_tuning_trains_every_weight_and_saves_a_model(workshop, tiny_base):
    from transformers import AutoModelForCausalLM

    run = workshop.make(method={"type": "full"}, training={"learning_rate": 0.001})
    end = finished(run)
    assert (end.type, end.adapter, end.gguf) == ("completed", None, None)
    plan = of(run, "plan")[0]
    assert plan.trainable_parameters == plan.total_parameters
    before = AutoModelForCausalLM.from_pretrained(tiny_base).state_dict()
    after = AutoModelForCausalLM.from_pretrained(run.model).state_dict()
    assert all(not torch.equal(before[name], after[name]) for name in before)
    assert (run.model / "chat_template.jinja").is_file()


def test_several_weighted_datasets_are_joined(workshop):
    workshop.dataset("more.jsonl", count=8)
    sets = [{"path": "train.jsonl", "weight": 0.5}, {"path": "more.jsonl", "weight": 2.0}]
    assert of(trained(workshop, datasets=sets), "plan")[0].examples == 12 + 16


def test_a_length_beyond_the_models_reach_is_lowered_with_a_warning(workshop):
    run = trained(workshop, training={"max_length": 4096})
    assert any("the model reads 256 tokens" in event.message for event in of(run, "log"))
