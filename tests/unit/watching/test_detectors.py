import math

import pytest

from peft_engine.watching import Evaluation, Measurement, Series, thresholds
from peft_engine.watching.finite import non_finite
from peft_engine.watching.gradients import explosion
from peft_engine.watching.loss import beyond_chance, divergence
from peft_engine.watching.memory import memory_pressure
from peft_engine.watching.overfitting import overfitting
from peft_engine.watching.stall import Standstill, patience, stall

LIMITS = thresholds()


def measured(losses=(), norms=(), memory=None):
    series = Series(LIMITS.history)
    count = max(len(losses), len(norms), 1)
    for step in range(1, count + 1):
        series.add(
            Measurement(
                step,
                losses[step - 1] if losses else None,
                norms[step - 1] if norms else None,
                memory,
            )
        )
    return series


def evaluated(*pairs):
    series = Series(LIMITS.history)
    for number, (loss, training_loss) in enumerate(pairs, 1):
        series.evaluated(Evaluation(number * 10, loss, training_loss))
    return series


def test_a_falling_loss_does_not_diverge():
    assert divergence(measured([5 * 0.95**n for n in range(60)]), LIMITS.divergence) is None


def test_a_loss_that_leaves_its_lowest_level_diverges_and_the_steps_before_were_good():
    falling, rising = [2 * 0.97**n for n in range(40)], [1.0 + n for n in range(5)]
    anomaly = divergence(measured(falling + rising), LIMITS.divergence)
    assert anomaly is not None
    assert (anomaly.kind, anomaly.step, anomaly.good_step) == ("loss-divergence", 45, 40)
    assert anomaly.key == "training.learning_rate"
    assert anomaly.evidence["recent_loss"] == 3.0


def test_one_bad_batch_is_no_divergence():
    assert divergence(measured([1.0] * 30 + [50.0] + [1.0] * 3), LIMITS.divergence) is None


def test_a_rise_within_what_is_small_is_no_divergence():
    assert divergence(measured([0.001] * 30 + [0.1] * 10), LIMITS.divergence) is None


def test_nothing_is_said_of_the_first_steps():
    assert divergence(measured([1.0, 9.0, 9.0]), LIMITS.divergence) is None
    assert explosion(measured(norms=[1.0, 99.0]), LIMITS.explosion, 1.0) is None


SEEN_ON_SMOLLM2 = [4.52, 4.19, 5.23, 34.11, 16.01, 16.48, 13.55, 22.71, 19.69, 16.35]
"""LoRA of one rank with an alpha of 4096, whose learning rate rises to 0.01 in 20 steps."""


def test_a_loss_beyond_that_of_chance_is_seen_however_few_measurements_came_before():
    chance = math.log(49_152)
    steps = range(1, len(SEEN_ON_SMOLLM2) + 1)
    seen = [beyond_chance(measured(SEEN_ON_SMOLLM2[:step]), LIMITS.divergence, chance) for step in steps]
    assert [anomaly is not None for anomaly in seen] == [step >= 6 for step in steps]
    anomaly = seen[5]
    assert (anomaly.kind, anomaly.step, anomaly.key) == ("loss-divergence", 6, "training.learning_rate")
    # The loss of step 3 is that of the weights after step 2.
    assert anomaly.good_step == 2
    assert anomaly.evidence == {"loss": 16.48, "recent_loss": 16.01, "lowest_loss": 4.19, "loss_of_chance": chance}


@pytest.mark.parametrize(
    "losses",
    [[11.3] * 9, [14.0] * 9, [4.0, 4.0, 34.0, 4.0, 34.0, 4.0], [4.0, 34.0, 34.0], [4.0] + [12.0] * 9],
    ids=["all but chance", "never below", "two bad batches", "too few", "not by a fifth"],
)
def test_a_loss_that_was_never_better_or_is_not_for_long_is_not_laid_to_what_was_lost(losses):
    assert beyond_chance(measured(losses), LIMITS.divergence, math.log(49_152)) is None


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_no_number_is_seen_at_once(value):
    anomaly = non_finite(measured([1.0, 0.9, value]), 1)
    assert anomaly is not None
    assert anomaly.kind == "non-finite"
    # The loss of step 2 is that of the weights after step 1.
    assert anomaly.good_step == 1
    assert non_finite(measured([value, 1.0]), 1) is None


def test_a_first_loss_that_is_no_number_is_not_laid_to_what_was_learned():
    anomaly = non_finite(measured([math.nan]), 1)
    assert anomaly is not None
    assert anomaly.key == "training.precision"
    assert "before anything was learned" in anomaly.cause


def test_gradients_above_ten_times_what_is_usual_explode_when_they_last():
    usual = [2.0] * 20
    assert explosion(measured(norms=[*usual, 30.0]), LIMITS.explosion, 1.0) is None
    anomaly = explosion(measured(norms=[*usual, 30.0, 30.0]), LIMITS.explosion, 1.0)
    assert anomaly is not None
    assert (anomaly.kind, anomaly.evidence["usual_grad_norm"]) == ("gradient-explosion", 2.0)


def test_one_gradient_above_a_hundred_times_what_is_usual_explodes():
    assert explosion(measured(norms=[2.0] * 20 + [300.0]), LIMITS.explosion, 1.0) is not None


def test_gradients_that_are_not_even_clipped_do_no_harm():
    assert explosion(measured(norms=[0.001] * 20 + [0.9] * 5), LIMITS.explosion, 1.0) is None


def test_gradients_that_are_no_numbers_are_seen_at_once_and_later_where_the_loss_is_scaled():
    series = measured([1.0] * 5, [1.0, 1.0, 1.0, math.inf, math.nan])
    for in_a_row in (1, 2):
        anomaly = non_finite(series, in_a_row)
        assert anomaly is not None
        # The last gradients that were numbers are those of step 3, and so of the weights after step 2.
        assert (anomaly.step, anomaly.good_step) == (5, 2)
    assert non_finite(series, 3) is None


def test_weights_that_gave_no_gradients_are_not_gone_back_to_though_their_loss_was_a_number():
    anomaly = non_finite(measured([1.0, 1.0, 1.0, 1.0, math.nan], [1.0, 1.0, math.inf, math.inf, math.nan]), 1)
    assert anomaly is not None
    assert anomaly.good_step == 1


def test_a_held_out_loss_that_rises_while_the_training_loss_falls_is_overfitting():
    anomaly = overfitting(evaluated((2.0, 2.0), (1.5, 1.2), (1.7, 0.6), (1.9, 0.2)), LIMITS.overfitting)
    assert anomaly is not None
    assert (anomaly.kind, anomaly.good_step) == ("overfitting", 20)
    assert anomaly.evidence["gap"] == pytest.approx(1.7)


@pytest.mark.parametrize(
    "pairs",
    [
        ((2.0, 2.0), (1.5, 1.2), (1.9, 0.6)),
        ((2.0, 2.0), (1.5, 1.2), (1.9, 0.6), (1.4, 0.2)),
        ((2.0, 2.0), (1.5, 1.2), (1.9, 1.3), (2.4, 1.4)),
        ((2.0, 2.0), (1.5, 1.2), (1.51, 0.6), (1.52, 0.2)),
    ],
    ids=["only one is above", "it fell again", "the training loss rises too", "by next to nothing"],
)
def test_an_evaluation_that_says_no_such_thing_is_no_overfitting(pairs):
    assert overfitting(evaluated(*pairs), LIMITS.overfitting) is None


def test_the_lowest_evaluation_is_kept_however_many_come():
    series = Series(3)
    for number, loss in enumerate([2.0, 1.0, 3.0, 4.0, 5.0]):
        series.evaluated(Evaluation(number, loss, None))
    assert [one.loss for one in series.evaluations] == [1.0, 4.0, 5.0]


@pytest.mark.parametrize(("share", "told"), [(0.899, False), (0.9, True), (0.901, True)])
def test_G10_memory_is_short_at_the_limit_and_beyond_and_not_below_it(share, told):
    anomaly = memory_pressure(measured(memory=share), 0.9)
    assert (anomaly is not None) == told
    if anomaly is not None:
        assert anomaly.key == "training.batch_size"


def test_memory_that_was_not_measured_is_not_short():
    assert memory_pressure(measured(), 0.9) is None


def still(seconds, usual=1.0, cpu=0.0):
    return Standstill(step=7, seconds=seconds, usual_step=usual, cpu_percent=cpu, place="backward in graph.py")


def test_a_run_stands_still_after_the_minutes_that_are_set():
    assert stall(still(599), 10, LIMITS.stall) is None
    anomaly = stall(still(600), 10, LIMITS.stall)
    assert anomaly is not None
    assert "waits" in anomaly.cause
    assert "backward in graph.py" in anomaly.cause


def test_slow_steps_have_ten_of_their_kind():
    assert patience(10, 120.0, LIMITS.stall) == 1200
    assert stall(still(700, usual=120.0), 10, LIMITS.stall) is None


def test_a_run_that_computes_is_told_from_one_that_waits():
    anomaly = stall(still(3600, cpu=180.0), 10, LIMITS.stall)
    assert anomaly is not None
    assert "computes" in anomaly.cause
