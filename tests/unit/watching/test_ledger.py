import json

import pytest

from peft_engine.watching import thresholds
from peft_engine.watching.ledger import Ledger, Wanted
from peft_schemas.config import TrainingConfig

FACTORS = thresholds().recovery


def ledger(**training):
    config = {"learning_rate": 0.01, "max_grad_norm": 1.0, "batch_size": 8, "gradient_accumulation_steps": 2}
    return Ledger(TrainingConfig.model_validate({**config, **training}), FACTORS)


def do(book, identity, action, undoes=None):
    wanted = Wanted(identity, action, "person", undoes=undoes)
    book.want(wanted)
    return {change.key: (change.before, change.after) for change in book.do(wanted, action, 5)}


def test_the_settings_are_those_of_the_config_until_something_is_done():
    settings = ledger().settings()
    assert (settings.learning_rate, settings.max_grad_norm) == (0.01, 1.0)
    assert (settings.batch_size, settings.gradient_accumulation_steps) == (8, 2)


@pytest.mark.parametrize(
    ("action", "changes"),
    [
        ("cut-learning-rate", {"training.learning_rate": (0.01, 0.005)}),
        ("clip-gradients", {"training.max_grad_norm": (1.0, 0.5)}),
        ("cut-batch", {"training.batch_size": (8, 4), "training.gradient_accumulation_steps": (2, 4)}),
        ("roll-back", {"training.learning_rate": (0.01, 0.001)}),
        ("pause", {}),
        ("stop", {}),
    ],
)
def test_each_recovery_says_what_it_changes(action, changes):
    assert do(ledger(), "a", action) == {key: pytest.approx(pair) for key, pair in changes.items()}


def test_G10_cutting_the_batch_keeps_the_effective_batch_down_to_one_example():
    book = ledger()
    for number in range(3):
        assert book.can_cut_batch
        do(book, str(number), "cut-batch")
        settings = book.settings()
        assert settings.batch_size * settings.gradient_accumulation_steps == 16
    assert not book.can_cut_batch


@pytest.mark.parametrize("action", ["cut-learning-rate", "clip-gradients", "cut-batch", "roll-back"])
def test_G11_a_recovery_is_taken_back_to_the_very_number(action):
    book = ledger(learning_rate=0.0003)
    before = book.settings()
    do(book, "a", action)
    assert book.settings() != before
    do(book, "b", "undo", undoes="a")
    assert book.settings() == before
    assert book.find("a") is None


def test_taking_one_recovery_back_leaves_the_others():
    book = ledger()
    do(book, "a", "cut-learning-rate")
    do(book, "b", "clip-gradients")
    assert do(book, "c", "undo", undoes="a") == {"training.learning_rate": (0.005, 0.01)}
    assert book.settings().max_grad_norm == 0.5


def test_taking_a_taking_back_back_is_not_there_to_find():
    book = ledger()
    do(book, "a", "cut-learning-rate")
    do(book, "b", "undo", undoes="a")
    assert book.find("a") is None


def test_an_id_counts_once_whether_it_waits_was_done_or_was_refused():
    book = ledger()
    waits, refused = Wanted("a", "pause", "person"), Wanted("b", "pause", "person")
    for wanted in (waits, waits, refused):
        book.want(wanted)
    assert book.pending == [waits, refused]
    book.refuse(refused)
    book.do(waits, "pause", 3)
    for wanted in (waits, refused):
        book.want(wanted)
    assert book.pending == []


def test_what_was_done_without_a_person_is_counted_by_kind():
    book = ledger()
    book.want(Wanted("a", "cut-learning-rate", "auto", kind="loss-divergence"))
    book.want(Wanted("b", "cut-learning-rate", "person", kind="loss-divergence"))
    assert book.automatic("loss-divergence") == 1
    book.do(book.pending[0], "cut-learning-rate", 3)
    assert (book.automatic("loss-divergence"), book.automatic("stall")) == (1, 0)


def test_a_ledger_goes_on_where_a_checkpoint_left_it():
    book, other = ledger(), ledger()
    do(book, "a", "cut-batch")
    book.want(Wanted("b", "roll-back", "auto", anomaly="1-7-non-finite", kind="non-finite", good_step=6))
    book.want(Wanted("c", "stop", "person"))
    book.refuse(book.pending[-1])
    other.load_state_dict(json.loads(json.dumps(book.state_dict())))
    assert other == book
