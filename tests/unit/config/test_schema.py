"""The language as data, and its JSON Schema, agree with the pydantic models."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from pydantic import ValidationError

from peft_engine.config.foreign import foreign_names
from peft_engine.config.schema import key_at, number_text, walk
from peft_schemas.config import RunConfig
from tests.property.strategies import configs, examples

SCHEMA = json.loads((Path(__file__).parents[3] / "schemas/json/config.json").read_text())
BASE = {"version": 1, "model": {"base": "org/m"}, "datasets": [{"path": "org/d"}]}

CORPUS: list[tuple[str, dict[str, Any], bool]] = [
    ("smallest", BASE, True),
    ("everything null that may be", {**BASE, "name": None, "profile": None, "training": {"max_steps": None}}, True),
    ("whole number for a number", {**BASE, "method": {"alpha": 16, "dropout": 0}}, True),
    ("target modules as text", {**BASE, "method": {"target_modules": "all-linear"}}, True),
    ("target modules as list", {**BASE, "method": {"target_modules": ["q", "v"]}}, True),
    ("no version", {key: BASE[key] for key in ("model", "datasets")}, False),
    ("other version", {**BASE, "version": 2}, False),
    ("version as text", {**BASE, "version": "1"}, False),
    ("no model", {"version": 1, "datasets": [{"path": "x"}]}, False),
    ("no base", {**BASE, "model": {}}, False),
    ("empty base", {**BASE, "model": {"base": ""}}, False),
    ("no datasets", {**BASE, "datasets": []}, False),
    ("datasets as mapping", {**BASE, "datasets": {"path": "x"}}, False),
    ("unknown key", {**BASE, "trainig": {}}, False),
    ("unknown key below", {**BASE, "training": {"lr": 1}}, False),
    ("null section", {**BASE, "training": None}, False),
    ("text for a number", {**BASE, "method": {"r": "8"}}, False),
    ("boolean for a number", {**BASE, "method": {"r": True}}, False),
    ("fraction for a whole number", {**BASE, "method": {"r": 1.5}}, False),
    ("number for a boolean", {**BASE, "training": {"packing": 1}}, False),
    ("below", {**BASE, "method": {"r": 0}}, False),
    ("at the excluded bound", {**BASE, "training": {"learning_rate": 1}}, False),
    ("above", {**BASE, "training": {"max_length": 2**21}}, False),
    ("bad choice", {**BASE, "method": {"type": "lorra"}}, False),
    ("bad name", {**BASE, "name": "a b"}, False),
    ("name with a line end", {**BASE, "name": "ab\n"}, False),
    ("bad item", {**BASE, "method": {"target_modules": ["q", 1]}}, False),
]


def accepted_by_model(data: Any) -> bool:
    try:
        RunConfig.model_validate(data)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(("data", "good"), [row[1:] for row in CORPUS], ids=[row[0] for row in CORPUS])
def test_A2_an_independent_validator_and_the_model_agree(data: dict, good: bool) -> None:
    validator = jsonschema.Draft202012Validator(SCHEMA)
    if data.get("name") != "ab\n":  # the regular expressions of Python's validator let `$` stand before a line end
        assert validator.is_valid(data) is good
    assert accepted_by_model(data) is good


@examples(60)
@given(configs())
def test_A2_both_accept_every_valid_config(config: dict) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(config)
    assert accepted_by_model(config)


def test_the_schema_itself_is_valid() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_every_foreign_name_leads_to_a_key_that_does_not_have_that_name_there() -> None:
    names = {path for path, _ in walk()}
    for foreign, known in foreign_names().items():
        assert known.path in names, foreign
        assert key_at(tuple(known.path.replace("[]", "").split("."))) is not None
        assert foreign not in names


@pytest.mark.parametrize(
    ("value", "text"),
    [(2e-4, "2.0e-4"), (1e-5, "1.0e-5"), (0.05, "0.05"), (4096.0, "4096"), (1.5, "1.5"), (1e20, "1.0e20"), (0.0, "0")],
)
def test_numbers_are_written_as_people_write_them(value: float, text: str) -> None:
    assert number_text(value) == text
    assert float(text) == value
