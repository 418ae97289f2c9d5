import json
import math

from peft_engine.watching import Measurement, Watch, thresholds

LIMITS = thresholds()


def watch():
    return Watch(LIMITS, memory_limit=0.9, scaled=False, vocabulary=49_152)


def kinds(watching, *measurements):
    return [anomaly.kind for one in measurements for anomaly in watching.measured(one, 1.0)]


def short(step):
    return Measurement(step, 1.0, 1.0, 0.95)


def fine(step):
    return Measurement(step, 1.0, 1.0, 0.5)


def test_an_anomaly_that_lasts_is_said_once():
    assert kinds(watch(), *[short(step) for step in range(1, 50)]) == ["memory-pressure"]


def test_a_run_that_lost_what_its_base_knew_in_its_first_steps_diverges_and_says_so_once():
    losses = [4.5, 4.2, 5.2, 34.1, 16.0, 16.5, 13.6, 22.7, 19.7, 16.4, 16.1, 16.1, 14.2, 14.4]
    assert kinds(watch(), *[Measurement(n, loss, 1.0, 0.5) for n, loss in enumerate(losses, 1)]) == ["loss-divergence"]


def test_an_anomaly_that_went_away_and_came_back_is_said_again():
    gone = LIMITS.repeat.gone
    watching = watch()
    assert kinds(watching, short(1), *[fine(step) for step in range(2, 2 + gone)]) == ["memory-pressure"]
    assert kinds(watching, short(50)) == ["memory-pressure"]


def test_an_anomaly_that_flickers_is_said_once():
    assert kinds(watch(), *[short(n) if n % 2 else fine(n) for n in range(1, 60)]) == ["memory-pressure"]


def test_an_anomaly_that_stays_although_something_was_done_is_said_again_after_a_grace():
    watching = watch()
    kinds(watching, short(1))
    watching.recovered("memory-pressure")
    grace = LIMITS.repeat.grace
    assert kinds(watching, *[short(step) for step in range(2, 1 + grace)]) == []
    assert kinds(watching, short(1 + grace)) == ["memory-pressure"]


def test_what_was_done_about_another_kind_changes_nothing():
    watching = watch()
    kinds(watching, short(1))
    watching.recovered("stall")
    assert kinds(watching, *[short(step) for step in range(2, 60)]) == []


def test_a_loss_and_gradients_that_are_no_numbers_are_one_anomaly():
    assert kinds(watch(), Measurement(1, 1.0, math.inf), Measurement(2, math.nan, math.nan)) == ["non-finite"]


def test_going_back_forgets_what_was_seen_after():
    watching = watch()
    assert kinds(watching, Measurement(1, 1.0, 1.0), Measurement(2, math.nan, math.nan)) == ["non-finite"]
    watching.rolled_back(1)
    assert [one.step for one in watching.series.measurements] == [1]
    assert kinds(watching, Measurement(3, math.nan, math.nan)) == ["non-finite"]


def test_an_evaluation_is_held_against_the_training_loss_of_its_time():
    watching = watch()
    found = []
    for number in range(1, 8):
        kinds(watching, *[Measurement(number * 10 + n, 1 / number, 1.0) for n in range(5)])
        found += watching.evaluated(number * 10, abs(number - 2) + 1.0)
    assert [(one.kind, one.step) for one in found] == [("overfitting", 40)]


def test_a_watch_goes_on_where_a_checkpoint_left_it():
    first, second = watch(), watch()
    trace = [Measurement(n, 1.0 if n < 30 else float(n), 1.0, 0.95 if n > 20 else 0.1) for n in range(1, 60)]
    kinds(first, *trace[:31])
    first.evaluated(31, 2.0)
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert kinds(first, *trace[31:]) == kinds(second, *trace[31:]) == ["loss-divergence"]
    assert first.state_dict() == second.state_dict()
