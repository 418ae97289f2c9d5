"""The tables of the five tools agree with the language, with the code, and with themselves."""

from typing import get_args

import pytest
from pydantic import ValidationError

from peft_daemon.language.rules.values import judge_plain
from peft_engine.config.foreign import foreign_names, foreign_words, without_equivalent
from peft_engine.config.foreign.tables import Table, Tool, Training, load_table, load_words
from peft_engine.config.foreign.translate import steps_of
from peft_engine.config.schema import key_at, walk

RUN = Training(command="x train", keys=["lr"], others={})
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
        Table(title="X", loader="PyYAML", converts_text=True, training=RUN, keys={"lr": "training.lr"})


def test_the_names_that_the_editor_knows_lead_to_keys_of_ours() -> None:
    ours = {path for path, _ in walk()}
    assert {name.path for name in foreign_names().values()} <= ours


@pytest.mark.parametrize("tool", TOOLS)
def test_what_tells_a_run_from_other_configs_is_known_of_runs_and_of_no_others(tool: Tool) -> None:
    table = load_table(tool)
    of_runs = {path.partition(".")[0].partition("[")[0] for path in table.known_paths()}
    assert set(table.training.keys) <= of_runs
    others = [key for keys in table.training.others.values() for key in keys]
    assert sorted(others) == sorted(set(others))


def test_a_foreign_value_that_is_written_otherwise_is_one_of_ours() -> None:
    for name, foreign in foreign_names().items():
        key = key_at(tuple(foreign.path.replace("[]", "").split(".")))
        assert key is not None
        for value in foreign.values.values():
            assert judge_plain(key, value) is None, (name, value)


def test_a_word_of_another_tool_means_a_choice_of_ours_or_nothing() -> None:
    for name, words in foreign_words().items():
        meanings = {meaning for meaning in words.values() if meaning is not None}
        homes = [choices for _, key in walk() if key.name == name and meanings <= (choices := set(key.choices))]
        assert homes, name
        assert not any(set(words) & choices for choices in homes), name


def test_a_foreign_key_without_an_equivalent_is_known_with_its_reason() -> None:
    known = without_equivalent("output_dir")
    assert known is not None
    assert known.tool == "Axolotl"
    assert without_equivalent("zzyzx") is None
