"""What the detectors must see, and what they must not, on traces that are made."""

import math
import random

from hypothesis import given
from hypothesis import strategies as st

from peft_engine.watching import Measurement, Watch, thresholds
from peft_engine.watching.ledger import Ledger, Wanted
from peft_engine.watching.stall import Standstill, stall
from peft_schemas.config import TrainingConfig
from tests.property.strategies import examples

LIMITS = thresholds()


def kinds(losses):
    """Return the step and the kind of each anomaly in a trace of losses."""
    watch = Watch(LIMITS, memory_limit=0.9, scaled=False, vocabulary=49_152)
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


SEEN = {
    "loss-divergence": lambda watch, high: watch.measured(Measurement(99, high, 1.0), 1.0),
    "non-finite": lambda watch, _: watch.measured(Measurement(99, math.nan, 1.0), 1.0),
    "gradient-explosion": lambda watch, high: watch.measured(Measurement(99, 1.0, 1000 * high), 1.0),
    "memory-pressure": lambda watch, high: watch.measured(Measurement(99, 1.0, 1.0, 1 - 0.1 / high), 1.0),
    "overfitting": lambda watch, high: watch.evaluated(99, high),
    "stall": lambda _, high: [stall(Standstill(99, 600 * high, 1.0, high, "f in g.py"), 10, LIMITS.stall)],
}
"""What makes each kind of anomaly be seen, after a while in which all was well."""


@examples(60)
@given(st.sampled_from(sorted(SEEN)), st.floats(3, 1e6))
def test_G12_each_anomaly_has_a_cause_evidence_and_two_or_three_actions_that_can_be_done(kind, high):
    watch = Watch(LIMITS, memory_limit=0.9, scaled=False, vocabulary=49_152)
    for step in range(1, 20):
        watch.measured(Measurement(step, 1.0 + 1 / step, 1.0, 0.5), 1.0)
    for step in range(20, 25):
        watch.measured(Measurement(step, high if kind == "loss-divergence" else 1.0, 1.0, 0.5), 1.0)
    if kind == "overfitting":
        watch.evaluated(10, 1.0)
        watch.measured(Measurement(25, 0.5, 1.0), 1.0)
        for step in (26, 27, 28):
            watch.measured(Measurement(step, 0.1, 1.0), 1.0)
        watch.evaluated(28, high)
    watch._told.clear()
    (anomaly,) = [one for one in SEEN[kind](watch, high) if one.kind == kind]
    assert anomaly.cause.endswith(".")
    assert len(anomaly.cause.split()) > 5
    assert anomaly.evidence
    assert all(value is None or math.isfinite(value) for value in anomaly.evidence.values())
    actions = LIMITS.proposals[kind]
    assert 2 <= len(set(actions)) == len(actions) <= 3
    ledger = Ledger(TrainingConfig(batch_size=8), LIMITS.recovery)
    for number, action in enumerate(actions):
        wanted = Wanted(str(number), action, "person", kind=kind, good_step=anomaly.good_step)
        ledger.want(wanted)
        changes = ledger.do(wanted, action, anomaly.step)
        assert bool(changes) == (action not in ("pause", "stop"))
