"""A run that was interrupted and went on is, to the bit, the run that was left alone."""

import json
import shutil

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from peft.tuners.lora import layer
from safetensors.torch import load_file

from peft_daemon.runs.resume import resume
from peft_engine.capabilities import TRAINABLE_METHODS
from peft_engine.rundir.checkpoints import MANIFEST, config_of, verify_checkpoint
from peft_engine.training.fused.beside import Beside
from peft_engine.training.reporter import Reporter
from peft_engine.training.worker import work
from peft_schemas.events import ControlFile
from tests.integration.training.crashes import NOBODY
from tests.integration.training.interruption import go_on, interrupted, series, weights
from tests.integration.training.witness import workshop_of_the_real_model
from tests.integration.training.workshop import events, of
from tests.property.strategies import examples

STEPS = 7


def method(kind):
    return {"type": kind} if kind == "full" else {"type": kind, "r": 4, "alpha": 8, "dropout": 0.1}


def same_as_left_alone(workshop, sections, *, pauses=(), crashes=()):
    """Do a run twice, once interrupted, compare all that there is to compare, and return the interrupted one."""
    alone, broken = workshop.make(**sections), workshop.make(**sections)
    assert work(alone.path) == 0
    interrupted(broken, pauses=pauses, crashes=crashes)
    assert broken.read_state().state == alone.read_state().state == "completed"
    assert weights(broken) == weights(alone) != {}
    expected, measured = series(alone), series(broken)
    for kind in expected:
        # A pause may report a step out of turn.
        assert {step: measured[kind][step] for step in expected[kind]} == expected[kind]
    return broken


@pytest.mark.parametrize("kind", sorted(TRAINABLE_METHODS))
def test_F11_each_method_goes_on_to_the_bit(workshop, kind):
    sections = {
        "method": method(kind),
        "training": {"max_steps": STEPS, "batch_size": 3, "packing": True, "max_length": 128},
        "checkpoint": {"every_steps": 3},
        "model": {"base": workshop.base, **({"quantization": "nf4"} if kind == "qlora" else {})},
    }
    run = same_as_left_alone(workshop, sections, pauses={2}, crashes={6})
    assert [event.step for event in of(run, "resumed")] == [2, 3]


@pytest.fixture
def halved(monkeypatch):
    """Compute with two threads, whatever the tests beside this one do, and return the halves that were computed."""
    computed = []
    whole = Beside.run
    monkeypatch.setattr(Beside, "run", lambda self, *halves: computed.append(halves) or whole(self, *halves))
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield computed
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("kind", "training"),
    [
        ("dora", {}),
        ("full", {}),
        ("full", {"gradient_checkpointing": True}),
        # A matrix lies beside each weight. Ours takes gradients from it, other optimizers know nothing of it.
        ("full", {"precision": "bfloat16"}),
        ("full", {"precision": "bfloat16", "gradient_accumulation_steps": 1}),
        ("full", {"precision": "bfloat16", "optimizer": "adamw_8bit"}),
        ("full", {"precision": "bfloat16", "optimizer": "adafactor"}),
        ("lora", {}),
        ("lora", {"gradient_checkpointing": True}),
        ("qlora", {}),
    ],
)
def test_F11_a_run_whose_batches_are_halved_goes_on_to_the_bit(workshop, halved, kind, training):
    sections = {
        "method": {"type": kind} if kind == "full" else {"type": kind, "r": 4, "alpha": 8},
        "training": {
            "max_steps": STEPS,
            "batch_size": 4,
            "gradient_accumulation_steps": 2,
            "max_length": 128,
            **training,
        },
        "checkpoint": {"every_steps": 3},
        "model": {"base": workshop.base, **({"quantization": "nf4"} if kind == "qlora" else {})},
    }
    same_as_left_alone(workshop, sections, pauses={2}, crashes={6})
    assert len(halved) >= 2 * training.get("gradient_accumulation_steps", 2) * STEPS


@pytest.mark.parametrize("edge", [3, 6])
def test_F10_a_pause_within_an_evaluation_leaves_it_to_the_next_worker(workshop, edge):
    """In the middle of a run, and after its last step, where the loop has no further step to hear it at."""
    run = same_as_left_alone(
        workshop,
        {
            "training": {"max_steps": 6, "batch_size": 4, "logging_steps": 2},
            "evaluation": {"split": 0.2, "every_steps": 3},
            "checkpoint": {"every_steps": 100, "load_best": True},
        },
        pauses={edge},
    )
    (pause,) = of(run, "paused")
    assert (pause.step, pause.checkpoint) == (edge, f"checkpoints/step-{edge:06d}")
    assert pause.elapsed_seconds > 0
    assert [event.step for event in of(run, "evaluation")] == [3, 6]


@given(
    kind=st.sampled_from(["lora", "dora", "pissa", "full"]),
    training=st.fixed_dictionaries(
        {
            "batch_size": st.integers(1, 5),
            "gradient_accumulation_steps": st.integers(1, 3),
            "packing": st.booleans(),
            "optimizer": st.sampled_from(["adamw", "adafactor", "sgd"]),
            "lr_scheduler": st.sampled_from(["linear", "cosine", "constant_with_warmup"]),
            "logging_steps": st.integers(1, 3),
            "warmup_steps": st.integers(0, 3),
            "max_steps": st.none() | st.integers(4, 9),
            "num_epochs": st.sampled_from([0.7, 1.0, 1.5]),
            "max_length": st.just(96),
        }
    ),
    evaluation=st.fixed_dictionaries({"split": st.just(0.2), "every_steps": st.integers(1, 3)}),
    load_best=st.booleans(),
    patience=st.none() | st.integers(1, 2),
    every=st.integers(1, 4),
    keep=st.integers(1, 3),
    pauses=st.sets(st.integers(1, 8), max_size=2),
    crashes=st.sets(st.integers(1, 8), max_size=2),
)
@examples(4)
def test_001_P28_a_pause_or_crash_anywhere_changes_nothing(
    workshop, kind, training, evaluation, load_best, patience, every, keep, pauses, crashes
):
    same_as_left_alone(
        workshop,
        {
            "method": method(kind),
            "training": {**training, "learning_rate": 0.02, "early_stopping_patience": patience},
            "evaluation": evaluation,
            "checkpoint": {"every_steps": every, "keep": keep, "load_best": load_best},
        },
        pauses=pauses,
        crashes=crashes,
    )


def test_F11_pissa_goes_on_where_the_beginning_comes_out_differently(workshop, monkeypatch):
    """As on another machine, whose singular vectors differ in their last bits: the result still fits the base."""
    sections = {"method": {"type": "pissa", "r": 4, "alpha": 8}, "training": {"max_steps": 5}}
    alone, broken = workshop.make(**sections), workshop.make(**sections)
    assert work(alone.path) == 0
    decompose = layer.svd_lowrank

    def elsewhere(weight, rank, niter):
        u, s, v = decompose(weight, rank, niter=niter)
        return u * 1.01, s, v

    def first(_):
        monkeypatch.setattr(layer, "svd_lowrank", elsewhere)

    interrupted(broken, pauses={3}, between=first)
    here, there = (load_file(run.adapter / "adapter_model.safetensors") for run in (alone, broken))
    assert all(torch.allclose(there[name], here[name], atol=1e-5) for name in here)
    here, there = ([at["loss"] for _, at in sorted(series(run)["metric"].items())] for run in (alone, broken))
    assert there == pytest.approx(here, rel=1e-4)


def test_a_damaged_checkpoint_is_passed_over_with_a_word(workshop):
    sections = {"training": {"max_steps": 6}, "checkpoint": {"every_steps": 2}}
    alone, broken = workshop.make(**sections), workshop.make(**sections)
    assert work(alone.path) == 0

    def damage(run):
        file = run.checkpoints / "step-000004/optimizer.pt"
        file.write_bytes(file.read_bytes()[:-1])

    interrupted(broken, crashes={6}, between=damage)
    assert of(broken, "resumed")[0].step == 2
    assert any("step-000004 is damaged" in event.message for event in of(broken, "log"))
    assert weights(broken) == weights(alone)


def test_F22_a_worker_killed_before_its_last_word_is_completed_and_not_repeated(workshop):
    run = workshop.make()
    assert work(run.path) == 0
    finished, hashes = of(run, "completed")[0], weights(run)
    lines = run.events.read_bytes().splitlines(keepends=True)
    run.events.write_bytes(b"".join(lines[:-1]))
    run.write_state(run.read_state().model_copy(update={"state": "failed"}))
    go_on(run)
    again = of(run, "completed")[0]
    assert (again.step, again.adapter, again.gguf) == (finished.step, finished.adapter, finished.gguf)
    assert weights(run) == hashes
    assert len(of(run, "metric")) == finished.step


def test_F22_a_result_that_is_not_whole_is_made_again(workshop):
    run = workshop.make()
    assert work(run.path) == 0
    hashes = weights(run)
    (run.adapter / "adapter_model.safetensors").write_bytes(b"half")
    run.write_state(run.read_state().model_copy(update={"state": "failed"}))
    go_on(run)
    assert run.read_state().state == "completed"
    assert weights(run) == hashes


def test_F10_a_pause_before_the_first_step_has_no_checkpoint(workshop):
    run = workshop.make()
    run.write_control(ControlFile(command="pause"))
    assert work(run.path) == 0
    (pause,) = of(run, "paused")
    assert (pause.step, pause.checkpoint, pause.elapsed_seconds) == (0, None, 0.0)
    go_on(run)
    assert (run.read_state().state, of(run, "resumed")[0].checkpoint) == ("completed", None)


@given(
    at=st.integers(1, 7),
    edge=st.sampled_from(["on_step_begin", "on_substep_end", "on_step_end"]),
    accumulate=st.integers(1, 3),
    logging=st.integers(1, 3),
    every=st.integers(1, 9),
    evaluate=st.none() | st.integers(1, 3),
)
@examples(8)
def test_001_P27_F10_whenever_a_run_is_paused_there_is_an_intact_checkpoint_of_the_step_that_was_reported_last(
    workshop, at, edge, accumulate, logging, every, evaluate
):
    run = workshop.make(
        training={
            "max_steps": 8,
            # A step of one part has no edge inside.
            "gradient_accumulation_steps": accumulate + (edge == "on_substep_end"),
            "logging_steps": logging,
            "batch_size": 2,
        },
        checkpoint={"every_steps": every, "keep": 1},
        **({} if evaluate is None else {"evaluation": {"split": 0.2, "every_steps": evaluate}}),
    )
    hook = getattr(Reporter, edge)

    def asks(self, args, state, control, **rest):
        if state.global_step >= at - (edge != "on_step_end"):
            run.write_control(ControlFile(command="pause"))
        return hook(self, args, state, control, **rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Reporter, edge, asks)
        assert work(run.path) == 0
    assert run.read_state().state == "paused", (events(run)[-3:], run.read_control())
    (pause,) = of(run, "paused")
    announced = {event.path: event.sha256 for event in of(run, "checkpoint")}
    found = verify_checkpoint(run.path / pause.checkpoint, announced[pause.checkpoint])
    assert found is not None
    assert found.step == pause.step == run.read_state().step == of(run, "metric")[-1].step
    assert found.step >= at or edge == "on_substep_end"
    assert pause.elapsed_seconds == found.elapsed_seconds > 0


@pytest.mark.parametrize("remove", [False, True])
def test_F12_a_cancelled_run_ends_without_a_checkpoint_and_keeps_what_it_may(workshop, monkeypatch, remove):
    run = workshop.make(training={"max_steps": 8}, checkpoint={"every_steps": 2})
    at_end = Reporter.on_step_end

    def cancel_at_three(self, args, state, control, **rest):
        if state.global_step == 3:
            run.write_control(ControlFile(command="cancel", remove=remove))
        return at_end(self, args, state, control, **rest)

    monkeypatch.setattr(Reporter, "on_step_end", cancel_at_three)
    assert work(run.path) == 0
    end = events(run)[-1]
    assert (end.type, end.removed, run.read_state().state) == ("cancelled", remove, "cancelled")
    assert [path.name for path in run.checkpoints.glob("step-*")] == ([] if remove else ["step-000002"])


def test_F13_time_in_training_is_counted_on_over_pauses_and_crashes(workshop):
    run = workshop.make(training={"max_steps": 6}, checkpoint={"every_steps": 1})
    interrupted(run, pauses={2, 4}, crashes={6})
    elapsed = [event.elapsed_seconds for event in of(run, "paused")]
    manifests = [json.loads((path / "manifest.json").read_bytes()) for path in sorted(run.checkpoints.glob("step-*"))]
    assert 0 < elapsed[0] < elapsed[1] < manifests[-1]["elapsed_seconds"]


@pytest.mark.model
def test_F11_the_real_model_goes_on_to_the_bit(home, tmp_path, model_cache):
    same_as_left_alone(
        workshop_of_the_real_model(home, tmp_path, model_cache),
        {
            "method": {"type": "lora", "r": 8, "dropout": 0.05},
            "training": {"max_steps": 4, "batch_size": 2, "max_length": 128, "packing": True},
            "checkpoint": {"every_steps": 2},
        },
        pauses={1},
        crashes={4},
    )


def test_F11_what_is_trained_beside_an_adapter_goes_on_too(workshop):
    """Whole modules, LoRA+'s second rate, recomputed activations, and several weighted datasets."""
    workshop.dataset("more.jsonl", 9)
    same_as_left_alone(
        workshop,
        {
            "datasets": [{"path": "train.jsonl", "weight": 0.5}, {"path": "more.jsonl", "weight": 2.0}],
            "method": {"type": "lora", "r": 4, "lora_plus_ratio": 4.0, "modules_to_save": ["lm_head"]},
            "training": {"max_steps": 6, "batch_size": 3, "gradient_checkpointing": True},
            "checkpoint": {"every_steps": 2},
        },
        pauses={3},
        crashes={6},
    )


def test_an_older_checkpoint_that_has_its_best_goes_before_a_newer_one_that_lost_it(workshop):
    sections = {
        "training": {"max_steps": 8, "learning_rate": 0.02},
        "evaluation": {"split": 0.2, "every_steps": 2},
        "checkpoint": {"every_steps": 2, "keep": 9, "load_best": True},
    }
    alone, broken = workshop.make(**sections), workshop.make(**sections)
    assert work(alone.path) == 0
    best = []

    def lose_best(run):
        newest = max(run.checkpoints.glob("step-*"))
        best.append(json.loads((newest / "trainer_state.json").read_bytes())["best_global_step"])
        (run.checkpoints / f"step-{best[0]:06d}" / "optimizer.pt").write_bytes(b"lost")

    interrupted(broken, crashes={8}, between=lose_best)
    assert of(broken, "resumed")[0].step < best[0]
    assert weights(broken) == weights(alone)


def with_checkpoints_of_another(workshop, method):
    """Return a run that was paused before its first step, into which the checkpoints of another one were copied."""
    other = workshop.make(method={"type": "lora", "r": 4, "alpha": 8})
    run = workshop.make(method=method)
    assert work(other.path) == 0
    run.write_control(ControlFile(command="pause"))
    assert work(run.path) == 0
    shutil.copytree(other.checkpoints, run.checkpoints, dirs_exist_ok=True)
    return run


def test_F22_a_checkpoint_of_another_run_is_not_used_and_that_is_said(workshop):
    run = with_checkpoints_of_another(workshop, {"type": "lora", "r": 2, "alpha": 4})
    go_on(run)
    assert run.read_state().state == "completed"
    assert any("of another run, and is not used" in event.message for event in of(run, "log"))
    assert [(event.step, event.checkpoint) for event in of(run, "resumed")] == [(0, None)]


@pytest.mark.parametrize("method", [{"type": "lora", "r": 2, "alpha": 4}, {"type": "full"}], ids=["rank", "method"])
def test_F22_a_checkpoint_that_says_it_is_of_this_config_is_refused_by_its_shapes(workshop, method):
    run = with_checkpoints_of_another(workshop, method)
    for manifest in run.checkpoints.glob(f"*/{MANIFEST}"):
        manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "config": config_of(run)}))
    go_on(run)
    state = run.read_state()
    assert (state.state, state.error and state.error.code) == ("failed", "checkpoint-missing")


class Left(Exception):
    """A run that was interrupted is left as it is."""


def leave(_):
    raise Left


@pytest.mark.parametrize("what", ["data", "base"])
def test_F14_what_changes_while_a_run_waits_is_told_before_it_is_trained_on(workshop, tmp_path, what):
    base = tmp_path / "own-base"
    shutil.copytree(workshop.base, base)
    run = workshop.make(model={"base": str(base)})
    with pytest.raises(Left):
        interrupted(run, pauses={2}, between=leave)
    changed = workshop.folder / "train.jsonl" if what == "data" else base / "generation_config.json"
    changed.write_text(changed.read_text() + "\n")
    before = weights_of_checkpoint(run)
    go_on(run)
    state = run.read_state()
    assert (state.state, state.error.code) == ("failed", "resume-changed")
    assert str(changed) in state.error.message and "--accept-changes" in state.error.remedy
    assert max(event.step for event in of(run, "metric")) == 2
    assert weights_of_checkpoint(run) == before
    resume(run, python=NOBODY, accept_changes=True)
    assert work(run.path) == 0
    assert run.read_state().state == "completed"


def weights_of_checkpoint(run):
    return {path.name: verify_checkpoint(path).sha256 for path in run.checkpoints.iterdir()}
