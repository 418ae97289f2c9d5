"""A run that was interrupted and went on is, to the bit, the run that was left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peft_engine.capabilities import TRAINABLE_METHODS
from peft_engine.training.worker import work
from tests.integration.training.interruption import interrupted, series, weights
from tests.integration.training.workshop import of
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
