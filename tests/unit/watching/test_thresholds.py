import pytest
from pydantic import ValidationError

from peft_engine.profiles import read_data
from peft_engine.watching import Thresholds, thresholds


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("proposals", "stall", ["pause"]),
        ("proposals", "stall", ["pause", "dance"]),
        ("recovery", "cut_learning_rate", 1.0),
        ("explosion", "factor", 1.0),
        ("divergence", "reference", 500),
        ("divergence", "unheard_of", 1),
    ],
)
def test_a_table_that_says_nonsense_is_refused_at_load(section, key, value):
    data = read_data("watching.yaml")
    data[section][key] = value
    with pytest.raises(ValidationError):
        Thresholds.model_validate(data)


@pytest.mark.parametrize(("section", "key"), [("proposals", "stall"), ("titles", "undo")])
def test_a_kind_or_an_action_cannot_be_forgotten(section, key):
    data = read_data("watching.yaml")
    del data[section][key]
    with pytest.raises(ValidationError):
        Thresholds.model_validate(data)


def test_the_table_that_ships_is_sound():
    assert thresholds().history > 0
