"""What the detectors must see, and what they must not, on traces that are made."""

import math
import random

from hypothesis import given
from hypothesis import strategies as st

from peft_engine.watching import Measurement, Watch, thresholds
from tests.property.strategies import examples

LIMITS = thresholds()


def kinds(losses):
    """Return the step and the kind of each anomaly in a trace of losses."""
    watch = Watch(LIMITS, memory_limit=0.9, scaled=False)
    found = []
    for step, loss in enumerate(losses, 1):
        found += [(step, anomaly.kind) for anomaly in watch.measured(Measurement(step, loss, 1.0), 1.0)]
    return found


@st.composite
def healthy(draw, count=150):
    """A loss that falls to a level, with noise around it in proportion to it."""
    start, rest = draw(st.floats(0.5, 10)), draw(st.floats(0.02, 0.9))
    pace, unsteady = draw(st.floats(3, 200)), draw(st.floats(0, 0.2))
    noise = random.Random(draw(st.integers(0, 2**32)))
    level = (start * (rest + (1 - rest) * math.exp(-step / pace)) for step in range(count))
    return [mean * math.exp(noise.gauss(0, unsteady)) for mean in level]


@examples(60)
@given(healthy())
def test_G7_a_loss_that_is_noisy_but_falls_raises_no_alarm(losses):
    assert kinds(losses) == []


@examples(40)
@given(healthy(), st.floats(2, 20), st.integers(20, 120))
def test_G7_a_loss_that_jumps_and_stays_up_is_found_within_six_measurements(losses, times, since):
    planted = losses[:since] + [loss * times + 2 for loss in losses[since:]]
    found = kinds(planted)
    # Where the noise is a fifth of the loss, the jump must be larger to be told from it.
    assert found[:1] and found[0][1] == "loss-divergence"
    assert since < found[0][0] <= since + LIMITS.divergence.recent + 1


@examples(40)
@given(healthy(), st.integers(1, 149), st.sampled_from([math.nan, math.inf, -math.inf]))
def test_G7_a_loss_that_is_no_number_is_found_at_its_step(losses, since, value):
    assert kinds([*losses[:since], *[value] * 20])[0] == (since + 1, "non-finite")


@examples(40)
@given(healthy(), st.integers(12, 149), st.floats(2, 50))
def test_G7_a_single_bad_batch_is_no_divergence(losses, at, times):
    planted = [*losses]
    planted[at] *= times
    assert "loss-divergence" not in [kind for _, kind in kinds(planted)]
