"""Runs that go wrong, through the whole worker."""

import json
import math
import random
import time
from types import SimpleNamespace
from unittest.mock import create_autospec

import pynvml
import pytest

from peft_engine.rundir.checkpoints import verify_checkpoint
from peft_engine.training.watched import resources
from peft_engine.training.watched.recovery import GOES_ON
from peft_engine.training.worker import work
from peft_schemas.events import ControlFile, RecoveryRequest
from tests.integration.training.interruption import interrupted, series, weights
from tests.integration.training.workshop import events, finished, losses, of

STEADY = {"lr_scheduler": "constant", "batch_size": 2}
BREAKING = {
    "method": {"type": "lora", "alpha": 4096.0},
    "training": {**STEADY, "learning_rate": 0.5, "max_steps": 12},
    "checkpoint": {"every_steps": 100},
}
"""So fast that the numbers are none any more within a few steps."""

EXPLODING = {**BREAKING, "method": {"type": "lora", "alpha": 1024.0}}
"""A little less fast, so that gradients explode some steps before the numbers are none any more."""

DIVERGING = {
    "method": {"type": "full"},
    "training": {**STEADY, "learning_rate": 0.5, "max_steps": 30},
    "checkpoint": {"every_steps": 100},
}
"""Too fast, with a loss that rises and stays a number."""

AUTO = {"recovery": "auto"}


def kinds(run):
    return [event.kind for event in of(run, "anomaly")]


def rates(run):
    return [event.values["learning_rate"] for event in of(run, "metric")]


def ask(run, *recoveries):
    run.write_control(ControlFile(recoveries=[RecoveryRequest(**one) for one in recoveries]))


def said(run):
    """Return the type and the step of every event that has a step."""
    return [(event.type, event.step) for event in events(run) if hasattr(event, "step")]


def test_a_normal_run_raises_no_anomaly(workshop):
    run = workshop.make(training={"max_steps": 30, "learning_rate": 1e-3})
    assert finished(run).type == "completed"
    assert kinds(run) == []


def test_each_step_says_what_the_run_takes_of_the_machine(workshop):
    run = workshop.make()
    finished(run)
    values = of(run, "metric")[-1].values
    assert {"cpu_percent", "machine_memory_share"} <= set(values)
    assert 0 < values["machine_memory_share"] < 1
    # This machine has no such device: its measurements are absent, and not 0.
    assert not [name for name in values if name.startswith("gpu")]


def test_G8_G11_a_huge_learning_rate_explodes_and_where_it_is_only_proposed_nothing_is_done(workshop):
    run = workshop.make(**EXPLODING)
    end = finished(run)
    assert set(kinds(run)) == {"gradient-explosion", "non-finite"}
    assert (end.type, end.error.code) == ("failed", "diverged")
    assert of(run, "recovery") == of(run, "checkpoint") == []
    for event in of(run, "anomaly"):
        assert 2 <= len(event.actions) <= 3
        assert event.cause.endswith(".")


def test_G11_where_it_may_a_run_that_broke_goes_back_and_becomes_finite(workshop):
    run = workshop.make(**BREAKING, watch=AUTO)
    assert finished(run).type == "completed"
    recovery = next(event for event in of(run, "recovery") if event.action == "roll-back")
    assert recovery.by == "auto"
    assert recovery.anomaly in [event.id for event in of(run, "anomaly")]
    changes = {change.key: (change.before, change.after) for change in recovery.changes}
    assert changes["training.learning_rate"] == (0.5, 0.05)
    assert changes["weights_of_step"] == (recovery.step, 0)
    assert all(math.isfinite(loss) for loss in losses(run)[recovery.step :])


def test_G7_G11_G13_a_loss_that_rises_is_found_and_falls_again_after_a_checkpoint_and_half_the_rate(workshop):
    run = workshop.make(**DIVERGING, watch=AUTO)
    assert finished(run).type == "completed"
    recovery = of(run, "recovery")[0]
    assert (recovery.action, recovery.by, kinds(run)[0]) == ("cut-learning-rate", "auto", "loss-divergence")
    order = said(run)
    at = order.index(("recovery", recovery.step))
    assert order[at - 2 : at] == [("anomaly", recovery.step), ("checkpoint", recovery.step)]
    checkpoint = next(event for event in of(run, "checkpoint") if event.step == recovery.step)
    assert verify_checkpoint(run.path / checkpoint.path, checkpoint.sha256)
    assert rates(run)[recovery.step - 1 : recovery.step + 1] == [0.5, 0.25]
    assert losses(run)[-1] < losses(run)[recovery.step - 1]


def test_G9_a_run_that_learns_four_examples_by_heart_is_found(workshop):
    noise = random.Random(0)
    records = [
        {"prompt": "".join(noise.choices("abcdefgh", k=8)), "completion": "".join(noise.choices("abcdefgh", k=24))}
        for _ in range(8)
    ]
    (workshop.folder / "train.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    run = workshop.make(
        method={"type": "full"},
        training={"lr_scheduler": "constant", "batch_size": 4, "learning_rate": 0.01, "max_steps": 80},
        evaluation={"split": 0.5, "every_steps": 8},
        checkpoint={"every_steps": 100},
    )
    finished(run)
    (anomaly,) = of(run, "anomaly")
    assert (anomaly.kind, anomaly.key) == ("overfitting", "training.num_epochs")
    assert anomaly.evidence["evaluation_loss"] > anomaly.evidence["lowest_evaluation_loss"]


def test_G10_memory_at_its_limit_cuts_the_batch_and_the_losses_stay_the_same(workshop):
    sections = {
        "method": {"type": "lora", "dropout": 0.0},
        "training": {"max_steps": 8, "batch_size": 4},
        "checkpoint": {"every_steps": 100},
    }
    full, roomy = workshop.make(**sections, watch={**AUTO, "memory_limit": 1e-6}), workshop.make(**sections)
    finished(full)
    finished(roomy)
    assert kinds(full) == ["memory-pressure"]
    (recovery,) = of(full, "recovery")
    assert recovery.action == "cut-batch"
    assert_kept_before(full, recovery)
    assert {change.key: (change.before, change.after) for change in recovery.changes} == {
        "training.batch_size": (4, 2),
        "training.gradient_accumulation_steps": (1, 2),
    }
    assert kinds(roomy) == []
    assert losses(full) == pytest.approx(losses(roomy), rel=1e-5)


@pytest.mark.parametrize(("used", "batch"), [(899, (4, 1)), (900, (2, 2)), (901, (2, 2))])
def test_contract_G10_a_gpu_that_says_it_is_filled_to_nine_tenths_has_the_batch_cut_and_not_before(
    workshop, monkeypatch, used, batch
):
    driver = create_autospec(pynvml)
    driver.NVMLError = pynvml.NVMLError
    driver.nvmlDeviceGetUtilizationRates.return_value = SimpleNamespace(gpu=93, memory=40)
    driver.nvmlDeviceGetMemoryInfo.return_value = SimpleNamespace(total=1000, used=used, free=1000 - used)
    driver.nvmlDeviceGetTemperature.return_value = 71
    monkeypatch.setattr(resources, "pynvml", driver)
    begin = resources.Resources.__init__

    def beside_a_gpu(self, *arguments):
        begin(self, *arguments)
        self._gpu = "handle"

    monkeypatch.setattr(resources.Resources, "__init__", beside_a_gpu)
    run = workshop.make(training={"max_steps": 4, "batch_size": 4}, checkpoint={"every_steps": 100}, watch=AUTO)
    assert finished(run).type == "completed"
    assert of(run, "metric")[-1].values["gpu_memory_share"] == used / 1000
    changes = {change.key: change.after for event in of(run, "recovery") for change in event.changes}
    after = changes.get("training.batch_size", 4), changes.get("training.gradient_accumulation_steps", 1)
    assert after == batch
    assert after[0] * after[1] == 4, "the effective batch is kept"
    assert kinds(run) == (["memory-pressure"] if used >= 900 else [])


def assert_kept_before(run, recovery):
    """See that the last thing that was told before a recovery is a whole checkpoint of the same step."""
    every = events(run)
    before = every[every.index(recovery) - 1]
    assert (before.type, before.step) == ("checkpoint", recovery.step)
    assert verify_checkpoint(run.path / before.path, before.sha256)


@pytest.mark.parametrize("action", sorted(GOES_ON))
def test_G13_whatever_is_done_about_a_run_its_state_before_is_kept_and_can_be_had_again(workshop, action):
    """Asked for at a step at which no checkpoint is due."""
    run = workshop.make(
        training={**STEADY, "max_steps": 6, "learning_rate": 0.01}, checkpoint={"every_steps": 2, "keep": 9}
    )
    asked = [{"id": "a", "action": action}, {"id": "b", "action": "undo", "undoes": "a"}]
    _at_each_step(run, lambda step: ask(run, *asked[: step - 2]) if step in (3, 5) else None)
    done, undone = of(run, "recovery")
    assert [(one.action, one.step) for one in (done, undone)] == [(action, 3), ("undo", 5)]
    assert_kept_before(run, done)
    assert_kept_before(run, undone)
    there = {change.key: (change.before, change.after) for change in done.changes}
    back = {change.key: (change.after, change.before) for change in undone.changes}
    if action == "roll-back":
        assert (there.pop("weights_of_step"), back.pop("weights_of_step")) == ((3, 2), (3, 5))
    assert there == back != {}


def test_G11_what_a_person_asks_for_is_done_once_and_taken_back(workshop):
    run = workshop.make(training={**STEADY, "max_steps": 6, "learning_rate": 0.01}, checkpoint={"every_steps": 100})
    ask(
        run,
        {"id": "person-1", "action": "cut-learning-rate"},
        {"id": "person-2", "action": "clip-gradients"},
        {"id": "person-3", "action": "undo", "undoes": "person-1"},
    )
    finished(run)
    assert [(event.id, event.by, event.step) for event in of(run, "recovery")] == [
        ("person-1", "person", 1),
        ("person-2", "person", 1),
        ("person-3", "person", 1),
    ]
    assert rates(run) == [0.01] * 6
    undo = of(run, "recovery")[-1]
    assert undo.undoes == "person-1"
    assert [(change.key, change.before, change.after) for change in undo.changes] == [
        ("training.learning_rate", 0.005, 0.01)
    ]


def test_a_schedule_keeps_its_shape_below_a_lower_peak(workshop):
    sections = {"training": {"max_steps": 6, "learning_rate": 0.01, "lr_scheduler": "cosine", "warmup_steps": 3}}
    run, alone = workshop.make(**sections), workshop.make(**sections)
    ask(run, {"id": "a", "action": "cut-learning-rate"})
    finished(run)
    finished(alone)
    assert rates(run)[1:] == [rate / 2 for rate in rates(alone)[1:]]


def test_a_roll_back_takes_the_weights_of_the_checkpoint_before_and_can_be_taken_back(workshop):
    run = workshop.make(
        training={**STEADY, "max_steps": 6, "learning_rate": 0.01}, checkpoint={"every_steps": 2, "keep": 9}
    )
    asked = [{"id": "a", "action": "roll-back"}, {"id": "b", "action": "undo", "undoes": "a"}]

    def asks(step):
        if step == 4:
            ask(run, asked[0])
        if step == 5:
            ask(run, *asked)

    _at_each_step(run, asks)
    back, undo = of(run, "recovery")
    assert (back.step, undo.step) == (4, 5)
    assert {c.key: c.after for c in back.changes}["weights_of_step"] == 2
    assert {c.key: c.after for c in undo.changes}["weights_of_step"] == 4
    assert rates(run) == [0.01] * 4 + [pytest.approx(0.001)] + [0.01]


@pytest.mark.parametrize("action", sorted(GOES_ON))
def test_a_run_whose_recovery_is_taken_back_at_once_is_the_same_to_the_bit_as_one_left_alone(workshop, action):
    """Weights, optimizer, schedule and data."""
    sections = {
        "training": {"lr_scheduler": "cosine", "batch_size": 2, "max_steps": 8, "learning_rate": 0.01},
        "checkpoint": {"every_steps": 2, "keep": 9},
    }
    run, alone = workshop.make(**sections), workshop.make(**sections)
    asked = [{"id": "a", "action": action}, {"id": "b", "action": "undo", "undoes": "a"}]
    _at_each_step(run, lambda step: ask(run, *asked) if step == 5 else None)
    finished(alone)
    assert [one.action for one in of(run, "recovery")] == [action, "undo"]
    assert (losses(run), rates(run)) == (losses(alone), rates(alone))
    assert weights(run) == weights(alone) != {}


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"id": "a", "action": "undo", "undoes": "nothing"}, "no recovery nothing is in force"),
        ({"id": "a", "action": "cut-batch"}, "one example at a time is the least"),
        ({"id": "a", "action": "roll-back"}, "no intact checkpoint is from before"),
    ],
    ids=["undo", "cut-batch", "roll-back"],
)
def test_what_cannot_be_done_is_said_and_the_run_goes_on(workshop, asked, why):
    run = workshop.make(training={"batch_size": 1, "max_steps": 3}, checkpoint={"every_steps": 100})
    ask(run, asked)
    assert finished(run).type == "completed"
    assert of(run, "recovery") == []
    assert [event.recovery for event in of(run, "log") if why in event.message] == ["a"]


@pytest.mark.parametrize(("action", "state"), [("pause", "paused"), ("stop", "stopped")])
def test_a_run_rests_or_ends_by_a_recovery_too(workshop, action, state):
    run = workshop.make(training={"max_steps": 30}, checkpoint={"every_steps": 100})
    ask(run, {"id": "a", "action": action})
    assert work(run.path) == 0
    assert run.read_state().state == state
    assert of(run, "recovery")[0].action == action


@pytest.mark.parametrize("sections", [BREAKING, DIVERGING], ids=["breaking", "diverging"])
def test_a_run_that_recovers_is_the_same_to_the_bit_when_it_is_interrupted(workshop, sections):
    """Also at the very step that something was done after, before a further checkpoint came."""
    alone, broken = workshop.make(**sections, watch=AUTO), workshop.make(**sections, watch=AUTO)
    assert finished(alone).type == "completed"
    step = of(alone, "recovery")[0].step
    interrupted(broken, pauses={step + 3}, crashes={step + 2})
    assert series(broken)["metric"] == series(alone)["metric"]
    assert weights(broken) == weights(alone) != {}


def test_a_run_that_stands_still_is_told_of_from_beside_the_loop(workshop):
    run = workshop.make(training={"max_steps": 2}, watch={"stall_minutes": 1e-4, "recovery": "auto"})
    _at_each_step(run, lambda _: time.sleep(0.5))
    assert events(run)[-1].type == "completed"
    assert "stall" in kinds(run)
    assert [event.action for event in of(run, "recovery")] == []


def _at_each_step(run, do):
    """Do a run in this process, and something at each step edge before the worker looks at what is asked."""
    from peft_engine.training.reporter import Reporter

    at_end = Reporter.on_step_end

    def on_step_end(self, args, state, control, **rest):
        do(state.global_step)
        return at_end(self, args, state, control, **rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Reporter, "on_step_end", on_step_end)
        finished(run)
