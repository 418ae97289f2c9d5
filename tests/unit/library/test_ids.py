"""Ids as they are written: adapters, scales, and nothing that could become a path."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peft_engine.library.bounds import library_bounds
from peft_engine.library.ids import ChosenAdapter, ModelId, format_model_id, parse_model_id
from peft_schemas.errors import WorkbenchError
from tests.property.strategies import examples

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,12}", fullmatch=True)
SCALES = st.integers(0, 200).map(lambda hundredths: hundredths / 100)
ADAPTERS = st.lists(st.builds(ChosenAdapter, NAMES, SCALES), max_size=4, unique_by=lambda adapter: adapter.name)
BASES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,20}", fullmatch=True)


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ("org/name", ModelId("org/name")),
        ("org/name:notes-1", ModelId("org/name", (ChosenAdapter("notes-1"),))),
        ("org/name:notes-1@0.5", ModelId("org/name", (ChosenAdapter("notes-1", 0.5),))),
        ("org/name:a-1+b-2@0.25", ModelId("org/name", (ChosenAdapter("a-1"), ChosenAdapter("b-2", 0.25)))),
        ("llama3:8b:notes-1", ModelId("llama3:8b", (ChosenAdapter("notes-1"),))),
        ("base:x@0", ModelId("base", (ChosenAdapter("x", 0.0),))),
        ("", ModelId("")),
    ],
)
def test_an_id_is_taken_apart(text: str, model: ModelId) -> None:
    assert parse_model_id(text) == model


@examples(100)
@given(BASES, ADAPTERS)
def test_an_id_that_is_written_is_read_as_the_same(base: str, adapters: list[ChosenAdapter]) -> None:
    model = ModelId(base, tuple(adapters))
    assert parse_model_id(format_model_id(model)) == model


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (":notes-1", "no base"),
        ("base:", "''"),
        ("base:a-1+", "''"),
        ("base:../../etc/passwd", "'../../etc/passwd'"),
        ("base:/etc/passwd", "'/etc/passwd'"),
        ("base:..", "'..'"),
        ("base:.hidden", "'.hidden'"),
        ("base:a\\b", "a.*b"),
        ("base:a-1@", "scale ''"),
        ("base:a-1@big", "scale 'big'"),
        ("base:a-1@nan", "scale 'nan'"),
        ("base:a-1@inf", "scale 'inf'"),
        ("base:a-1@-1", "scale '-1'"),
        ("base:a-1@2.5", "from 0 to 2"),
        ("base:a-1@1e999", "scale '1e999'"),
        ("base:a-1@0.5@0.5", "scale '0.5@0.5'"),
        ("base:a-1@\u0660", "scale '\u0660'"),
        ("base:a-1+a-1", "twice"),
        ("base\x00:a-1", "no model id"),
        ("x" * 5000, "no model id"),
    ],
)
def test_a_part_that_makes_no_sense_is_named(text: str, part: str) -> None:
    with pytest.raises(WorkbenchError, match=part) as error:
        parse_model_id(text)
    assert error.value.code == "model-missing"


@examples(200)
@given(st.text(max_size=60))
def test_no_text_makes_a_name_that_leaves_its_folder(text: str) -> None:
    try:
        model = parse_model_id(text)
    except WorkbenchError:
        return
    allowed = library_bounds().adapter_scale
    for adapter in model.adapters:
        assert "/" not in adapter.name
        assert "\\" not in adapter.name
        assert not adapter.name.startswith(".")
        assert allowed.lowest <= adapter.scale <= allowed.highest
