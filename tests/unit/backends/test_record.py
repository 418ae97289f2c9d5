import pytest

from peft_engine.backends.choose import choose_backend
from peft_engine.backends.record import add, recorded


@pytest.fixture
def one(config, base, measured):
    return measured(choose_backend(config(), base))


def test_nothing_is_recorded_at_first():
    assert recorded() == []


def test_a_measurement_takes_the_place_of_an_older_one_of_the_same_kind(one):
    other = one.model_copy(update={"method": "full"})
    newer = one.model_copy(update={"time": "2030-01-01T00:00:00.000Z"})
    for measurement in (one, other, newer):
        add(measurement)
    assert recorded() == [other, newer]


@pytest.mark.parametrize("content", ["", "{", '{"measurements": [{}]}', "\x00"])
def test_a_damaged_record_counts_as_none_and_is_replaced(home, one, content):
    (home / "backends.json").write_text(content)
    assert recorded() == []
    add(one)
    assert recorded() == [one]
