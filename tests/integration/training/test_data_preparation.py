"""What happens between reading a dataset and the first step: progress, a stop, memory, and rows that do not change."""

import gc

import pytest

from peft_engine.datasets import LoadedDataset
from peft_engine.home import token_cache_dir
from peft_engine.training.backends import transformers_backend
from peft_engine.training.data import preparation as data
from peft_engine.training.data.tokens import ExampleTokeniser
from peft_schemas.events import ControlFile
from tests.integration.training.workshop import finished, losses, of


@pytest.fixture
def small_batches(monkeypatch):
    """Let the tokenizer get four examples at once, and every batch be worth a word."""
    monkeypatch.setattr(data, "_BATCH_EXAMPLES", 4)
    monkeypatch.setattr(data, "_TELL_EVERY", -1.0)


@pytest.mark.usefixtures("small_batches")
def test_a_large_dataset_says_how_far_its_tokenising_is(workshop):
    run = workshop.make()
    assert finished(run).type == "completed"
    details = [event.detail for event in of(run, "state")]
    told = [detail for detail in details if detail and detail.startswith("tokenising")]
    assert told == [f"tokenising train.jsonl: {done} of 24 examples" for done in range(4, 25, 4)]


@pytest.mark.usefixtures("small_batches")
def test_a_stop_while_tokenising_is_heard_and_leaves_no_half_entry(workshop, monkeypatch):
    run = workshop.make()
    tokenise, batches = ExampleTokeniser.__call__, []

    def stopped_at_the_second_batch(self, examples):
        batches.append(len(examples))
        if len(batches) == 2:
            run.write_control(ControlFile(command="stop"))
        return tokenise(self, examples)

    monkeypatch.setattr(ExampleTokeniser, "__call__", stopped_at_the_second_batch)
    assert finished(run).type == "stopped"
    assert batches == [4, 4]
    assert not list(token_cache_dir().glob("*"))


def test_no_text_is_in_memory_while_the_run_trains(workshop, monkeypatch):
    load, alive = transformers_backend.load_model, []

    def counting(*arguments):
        gc.collect()
        alive.append(sum(bool(one.examples) for one in gc.get_objects() if isinstance(one, LoadedDataset)))
        return load(*arguments)

    monkeypatch.setattr(transformers_backend, "load_model", counting)
    assert finished(workshop.make()).type == "completed"
    assert alive == [0]


@pytest.mark.parametrize("packing", [False, True])
def test_the_size_of_a_batch_for_the_tokenizer_changes_nothing_that_is_learned(workshop, monkeypatch, packing):
    training = {"packing": packing, "max_length": 128}
    whole = workshop.make(training=training, evaluation={"split": 0.2, "every_steps": 2})
    assert finished(whole).type == "completed"
    for entry in token_cache_dir().iterdir():
        entry.unlink()
    monkeypatch.setattr(data, "_BATCH_CHARACTERS", 10)
    single = workshop.make(training=training, evaluation={"split": 0.2, "every_steps": 2})
    assert finished(single).type == "completed"
    assert losses(single) == losses(whole)
    assert [e.values for e in of(single, "evaluation")] == [e.values for e in of(whole, "evaluation")]


def test_a_single_example_that_cannot_be_held_out_is_told_of(workshop):
    workshop.dataset(count=1)
    run = workshop.make(evaluation={"split": 0.5, "every_steps": 1}, training={"max_steps": 1, "batch_size": 1})
    assert finished(run).type == "completed"
    assert of(run, "evaluation") == []
    assert any("nothing is evaluated" in event.message for event in of(run, "log"))
