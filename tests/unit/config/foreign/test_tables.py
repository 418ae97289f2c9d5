"""The tables of the five tools agree with the language, with the code, and with themselves."""

from typing import get_args

import pytest
from pydantic import ValidationError

from peft_engine.config.foreign import foreign_names
from peft_engine.config.foreign.tables import Table, Tool, load_table, load_words
from peft_engine.config.foreign.translate import steps_of
from peft_engine.config.schema import key_at, walk

TOOLS: tuple[Tool, ...] = get_args(Tool)


@pytest.mark.parametrize("tool", TOOLS)
def test_every_group_of_keys_has_the_step_that_reads_it(tool: Tool) -> None:
    assert set(load_table(tool).together) == steps_of(tool)


@pytest.mark.parametrize("tool", TOOLS)
def test_a_key_stands_in_one_place_only(tool: Tool) -> None:
    table = load_table(tool)
    handled = [key for keys in table.together.values() for key in keys]
    assert sorted(handled) == sorted(set(handled))
    assert not set(handled) & set(table.keys)
    assert not {*handled, *table.keys} & {key for group in table.absent for key in group.keys if "." not in key}


@pytest.mark.parametrize("tool", TOOLS)
def test_the_defaults_and_the_reasons_are_usable(tool: Tool) -> None:
    table = load_table(tool)
    for path, value in table.defaults.items():
        key = key_at(tuple(path.split(".")))
        assert key is not None
        assert key.default != value, f"{path} is what happens here anyway"
        assert not key.choices or value in key.choices
    for group in table.absent:
        assert group.because.endswith("."), group.because


@pytest.mark.parametrize(
    ("words", "path"),
    [
        ("scheduler", "training.lr_scheduler"),
        ("optimizer", "training.optimizer"),
        ("attention", "model.attention"),
        ("number type", "model.dtype"),
    ],
)
def test_every_word_means_a_choice_of_ours(words: str, path: str) -> None:
    key = key_at(tuple(path.split(".")))
    assert key is not None
    assert {meaning.value for meaning in load_words(words).values()} <= set(key.choices)


def test_a_table_that_names_no_key_of_ours_is_refused() -> None:
    with pytest.raises(ValidationError, match="no key of the config language"):
        Table(title="X", loader="PyYAML", converts_text=True, keys={"lr": "training.lr"})


def test_the_names_that_the_editor_knows_lead_to_keys_of_ours() -> None:
    ours = {path for path, _ in walk()}
    assert {name.path for name in foreign_names().values()} <= ours
