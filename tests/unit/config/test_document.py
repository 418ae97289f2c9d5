"""The document: values by YAML 1.2, places, and what is saved of a broken text."""

import math
import os
import sys
import time
from pathlib import Path

import pytest
import yaml

from peft_engine.config.document import parse
from peft_engine.config.read import read_source
from peft_engine.config.text import SourceText
from peft_schemas.errors import WorkbenchError


def plain(text: str):
    return parse(SourceText(text)).to_plain()


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1e-4", 1e-4),
        ("2.0e-4", 2e-4),
        ("yes", "yes"),
        ("off", "off"),
        ("014", 14),
        ("0o14", 12),
        ("0x1F", 31),
        ("12:30:45", "12:30:45"),
        ("1_000", "1_000"),
        ("~", None),
        ("", None),
        ("True", True),
        (".inf", math.inf),
        ("2024-01-01", "2024-01-01"),
        ("'1'", "1"),
        ('"a\\n\\u00e9\\x41"', "a\né" + "A"),
        ("'it''s'", "it's"),
        ("!!str 3", "3"),
        ("!!float 3", 3.0),
        ('!!int "3"', 3),
        ("9" * 400, math.inf),
        ("a # comment", "a"),
        ("a#b", "a#b"),
        ("[1, {a: b}, 'c']", [1, {"a": "b"}, "c"]),
        ("[a: 1, b]", [{"a": 1}, "b"]),
        ("{a, b: 1}", {"a": None, "b": 1}),
    ],
)
def test_scalars_are_those_of_yaml_1_2(written: str, value: object) -> None:
    found = plain(f"k: {written}\n")["k"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("k: |\n  a\n   b\n\n  c\n", "a\n b\n\nc\n"),
        ("k: >\n  a\n  b\n\n  c\n", "a b\nc\n"),
        ("k: |-\n  a\n", "a"),
        ("k: |+\n  a\n\n", "a\n\n"),
        ("k: |2\n   a\n", " a\n"),
        ("k: a\n  b\n\n  c\n", "a b\nc"),
        ('k: "a\n  b \\\n  c"\n', "a b c"),
    ],
)
def test_texts_over_several_lines(text: str, value: str) -> None:
    assert plain(text) == {"k": value}


def test_anchors_aliases_and_merge_keys() -> None:
    text = "a: &x {p: 1, q: 2}\nb: *x\nc: {<<: *x, q: 3}\nd: {<<: [*x, *x], r: 4}\n"
    assert plain(text) == {
        "a": {"p": 1, "q": 2},
        "b": {"p": 1, "q": 2},
        "c": {"q": 3, "p": 1},
        "d": {"r": 4, "p": 1, "q": 2},
    }


@pytest.mark.parametrize(
    ("text", "merged"),
    [
        ("k: {<<: {p: 1, q: 2}, q: 3}\n", {"q": 3, "p": 1}),
        ("k:\n  <<:\n    p: 1\n    q: 2\n  q: 3\n", {"q": 3, "p": 1}),
        ("k: {<<: [{p: 1}, {p: 2, q: 2}], r: 4}\n", {"r": 4, "p": 1, "q": 2}),
        ("a: &x {p: 1}\nk: {<<: [{p: 0, q: 2}, *x]}\n", {"p": 0, "q": 2}),
        ("a: &x {p: 1}\nk: {<<: {<<: *x, q: 2}}\n", {"q": 2, "p": 1}),
        ("a: &x [{p: 1}, {q: 2}]\nk: {<<: *x}\n", {"p": 1, "q": 2}),
        ("k: {<<: {}, q: 3}\n", {"q": 3}),
    ],
)
def test_a_merge_key_takes_mappings_in_place(text: str, merged: dict[str, int]) -> None:
    assert parse(SourceText(text)).problems == ()
    assert plain(text)["k"] == merged == yaml.safe_load(text)["k"]


def test_what_is_merged_into_the_top_level_comes_behind_its_own_keys_wherever_it_stands() -> None:
    text = "b: 1\n&x <<: {a: 1, c: 2}\na: 3\n"
    assert plain(text) == {"b": 1, "a": 3, "c": 2}


def test_a_path_leads_into_a_mapping_that_is_merged_in_place() -> None:
    source = SourceText("a: &x {r: 1}\nk:\n  <<: [{q: 😀}, *x]\n  s: 2\n")
    place, brought = parse(source).find(("k", "q")), parse(source).find(("k", "r"))
    assert place is not None and place.via is None
    assert source.text[place.value.start : place.value.end] == "😀"
    assert brought is not None and brought.via is not None
    assert source.text[brought.via.start : brought.via.end] == "*x"


def test_a_path_leads_to_key_and_value() -> None:
    source = SourceText("é: 😀\ndatasets:\n  - path: x\n  - {path: 'y z'}\n")
    document = parse(source)
    place = document.find(("datasets", 1, "path"))
    assert place is not None and place.key is not None
    assert source.text[place.key.start : place.key.end] == "path"
    assert source.text[place.value.start : place.value.end] == "'y z'"
    assert document.find(("datasets", 2)) is None
    value = document.find(("é",))
    assert value is not None
    assert document.range(value.value).end.character == 5


@pytest.mark.parametrize(
    ("text", "saved"),
    [
        ("a: 1\nb\nc: 2\n", {"a": 1, "c": 2}),
        ("a:\n  x: 1\n  y\n  z: 2\nc: 2\n", {"a": {"x": 1, "z": 2}, "c": 2}),
        ("a: 'x\nb: 2\n", {"b": 2}),
        ("a: [1,\nb: 2\n", {"b": 2}),
        ("a:\n\tx: 1\nb: 2\n", {"a": {"x": 1}, "b": 2}),
        ("a: 1\n   b: 2\nc: 3\n", {"a": 1, "c": 3}),
        ("a:\n    x: 1\n  y: 2\nb: 3\n", {"a": {"x": 1}, "b": 3}),
        ("<<<<<<< a\nx: 1\n||||||| o\nx: 0\n=======\nx: 2\n>>>>>>> b\ny: 3\n", {"x": 1, "y": 3}),
        ("a: @x\nb: `y`\nc: 1\n", {"c": 1}),
    ],
)
def test_what_stands_around_a_fault_is_still_read(text: str, saved: dict) -> None:
    document = parse(SourceText(text))
    assert document.to_plain() == saved
    assert not document.is_sound


def test_merge_conflicts_are_the_same_with_every_line_end() -> None:
    text = "a: 1\n<<<<<<< HEAD\nname: a\n=======\nname: b\n>>>>>>> x\n"
    for line_end in ("\n", "\r\n"):
        document = parse(SourceText(text.replace("\n", line_end)))
        assert document.to_plain() == {"a": 1, "name": "a"}
        (problem,) = document.problems
        assert document.source.text[problem.start : problem.end] == "<<<<<<< HEAD"


def test_a_byte_order_mark_and_utf16_files_are_read(tmp_path) -> None:
    path = tmp_path / "x.peft.yaml"
    for data in ("\ufeffa: é\n".encode(), "a: é\n".encode("utf-16")):
        path.write_bytes(data)
        source = read_source(path)
        assert source.text == "a: é\n"
        assert parse(source).problems == ()


def test_a_file_of_which_only_the_beginning_is_read_is_not_said_to_end_there(tmp_path) -> None:
    path = tmp_path / "long.peft.yaml"
    path.write_text("a: b\n" * 400_000)
    (problem,) = parse(read_source(path)).problems
    assert problem.message == "This file has more than 300,000 characters, the most that a config may have."


def test_a_file_that_is_not_there_is_an_error_with_a_remedy(tmp_path) -> None:
    for path in (tmp_path / "absent.peft.yaml", tmp_path):
        with pytest.raises(WorkbenchError) as caught:
            read_source(path)
        assert caught.value.code == "config-missing"
        assert caught.value.remedy


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps its pipes elsewhere")
def test_a_pipe_that_nobody_writes_to_is_declined_and_one_of_the_shell_is_read(tmp_path) -> None:
    pipe = tmp_path / "pipe.peft.yaml"
    os.mkfifo(pipe)
    link = tmp_path / "link.peft.yaml"
    link.symlink_to(pipe)
    for path in (pipe, link):
        with pytest.raises(WorkbenchError, match="it is a pipe"):
            read_source(path)
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as writer:
        writer.write("version: 1\n")
    try:
        assert read_source(Path(f"/dev/fd/{reading}")).text == "version: 1\n"
    finally:
        os.close(reading)


def test_a_link_to_itself_is_an_error_with_a_remedy(tmp_path) -> None:
    loop = tmp_path / "loop.peft.yaml"
    loop.symlink_to(loop)
    with pytest.raises(WorkbenchError, match="cannot be read"):
        read_source(loop)


def test_five_thousand_lines_are_read_in_time() -> None:
    text = "version: 1\ndatasets:\n" + "".join(f"  - path: d{i}\n    weight: 2 # é\n" for i in range(2500))
    started = time.process_time()
    assert len(parse(SourceText(text)).to_plain()["datasets"]) == 2500
    assert time.process_time() - started < 5
