"""What a model writes, read as text and calls: whatever the pieces, and whatever way through a grammar."""

import json
from itertools import pairwise
from random import Random
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llguidance import LLMatcher, LLTokenizer
from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask

from peft_engine.inference.contract import Constraint
from peft_engine.inference.tools.declaration import Tool, ToolUse
from peft_engine.inference.tools.plan import Plan, plan
from peft_engine.inference.tools.reader import CallArguments, CallBegun, CallReader, Part, Said
from peft_engine.inference.tools.syntax import CallSyntax, tool_data
from tests.property.strategies import examples

SYNTAXES = tool_data().syntaxes
NAMES = ("weather", "add")
SHARDS = [
    "<tool_call>", "</tool_call>", "[TOOL_CALLS]", "<|python_tag|>", "<tool", '{"name": "weather", ',
    '{"name": "rob", ',
    '"arguments": ', '"parameters": ', '{"city": "Par\\"is}"}', '{"a": [1, {"b": 2}]}', "{}", "}", "}}", "]", "[", ",",
    ";", " ", "\n", "Well: ", "é", '{"arguments": {"a": 1}, "name": "add"}', '{"name": 7}', '"', "\\", ":", "{",
    '{"name": "add", "arguments": "{\\"a\\": 1}"}', '{"name": "add", "arguments": {"a": 1}, "id": "}"}',
]  # fmt: skip
ANSWERS = st.lists(st.sampled_from(SHARDS) | st.text(max_size=3), max_size=12).map("".join)

TOOLS = (
    Tool(
        "weather",
        "Say what the weather is.",
        {
            "type": "object",
            "properties": {"city": {"type": "string", "maxLength": 4}, "unit": {"$ref": "#/$defs/unit"}},
            "required": ["city", "unit"],
            "$defs": {"unit": {"enum": ["c", 'f"', "ü"]}},
        },
    ),
    Tool("add", "", {"type": "object", "properties": {"a": {"type": "integer", "minimum": 0, "maximum": 99}}}),
)
ASKED = ({"role": "user", "content": "?"},)
_BYTES = LLTokenizer("byte")


def joined(parts: list[Part]) -> list[tuple[str, ...]]:
    """Return what was read, whatever the pieces it came in."""
    result: list[list[str]] = []
    for part in parts:
        match part:
            case Said(text) if result and result[-1][0] == "said":
                result[-1][1] += text
            case Said(text):
                result.append(["said", text])
            case CallBegun(index, name):
                result.append(["call", str(index), name, ""])
            case CallArguments(index, text):
                assert result[-1][:2] == ["call", str(index)]
                result[-1][3] += text
    return [tuple(one) for one in result]


def read(syntax: CallSyntax, pieces: list[str], most: int | None = None) -> list[tuple[str, ...]]:
    reader = CallReader(syntax, NAMES, most=most)
    parts = [part for piece in pieces for part in reader.feed(piece)]
    return joined(parts + reader.end())


@given(st.sampled_from(sorted(SYNTAXES)), ANSWERS, st.lists(st.integers(0, 200)), st.none() | st.just(1))
@examples(400)
def test_J2_an_answer_reads_the_same_however_it_is_cut(
    name: str, answer: str, cuts: list[int], most: int | None
) -> None:
    places = sorted({min(cut, len(answer)) for cut in cuts} | {0, len(answer)})
    pieces = [answer[start:end] for start, end in pairwise(places)]

    whole = read(SYNTAXES[name], [answer], most)
    assert read(SYNTAXES[name], pieces, most) == whole
    assert read(SYNTAXES[name], list(answer), most) == whole
    assert [int(one[1]) for one in whole if one[0] == "call"] == [*range(sum(one[0] == "call" for one in whole))]


@given(st.sampled_from(sorted(SYNTAXES)), ANSWERS)
@examples(200)
def test_J2_an_answer_without_a_call_is_its_own_text(name: str, answer: str) -> None:
    parts = read(SYNTAXES[name], [answer])

    if not any(part[0] == "call" for part in parts):
        assert "".join(part[1] for part in parts) == answer


def walk(constraint: Constraint, random: Random, *, longest: int = 400) -> str | None:
    """Return an answer that a grammar lets pass, chosen at random byte by byte; None if it did not end in time."""
    make = {"lark": LLMatcher.grammar_from_lark, "json-schema": LLMatcher.grammar_from_json_schema}[constraint.kind]
    matcher = LLMatcher(_BYTES, make(constraint.text))
    assert not matcher.get_error()
    assert not matcher.get_grammar_warnings()
    mask = allocate_token_bitmask(1, _BYTES.vocab_size)
    answer = bytearray()
    for _ in range(longest):
        fill_next_token_bitmask(matcher, mask)
        allowed = np.flatnonzero(np.unpackbits(mask.view(np.uint8), bitorder="little")[:256])
        if matcher.is_accepting() and (not len(allowed) or random.random() < 0.1):
            return answer.decode()
        likely = [byte for byte in allowed if byte in b'<tool_cal>"{}\n']
        byte = int(random.choice(likely if likely and random.random() < 0.5 else list(allowed)))
        assert matcher.consume_token(byte)
        answer.append(byte)
    return None


def understood(way: Plan, answer: str) -> list[tuple[str, ...]]:
    reader = way.reader()
    assert reader is not None
    parts = joined(reader.feed(answer) + reader.end())
    for part in parts:
        if part[0] == "call":
            tool = next(tool for tool in TOOLS if tool.name == part[2])
            jsonschema.validate(json.loads(part[3]), tool.parameters)
    return parts


TEMPLATES = {
    "none": None,
    "hermes": "{% if tools %}<tool_call>",
    "mistral": "{% if tools %}[TOOL_CALLS]",
    "llama": '{% if tools %}"parameters": dictionary of argument name',
}


@pytest.mark.parametrize("template", TEMPLATES)
@given(st.integers(0, 2**32), st.booleans())
@examples(15)
def test_J2_a_required_call_is_made_whatever_way_a_model_takes(template: str, seed: int, parallel: bool) -> None:
    way = plan(ASKED, ToolUse(TOOLS, "required", parallel), template=TEMPLATES[template], schema=None)
    assert way.constraint is not None
    answer = walk(way.constraint, Random(seed))

    if answer is not None:
        parts = understood(way, answer)
        assert parts
        assert {part[0] for part in parts} == {"call"}
        assert parallel or len(parts) == 1


SHAPE: dict[str, Any] = {
    "type": "object",
    "properties": {"ok": {"type": "boolean"}},
    "required": ["ok"],
    "additionalProperties": False,
}


@given(st.integers(0, 2**32), st.booleans(), st.booleans())
@examples(40)
def test_J2_what_a_model_may_choose_is_text_or_valid_calls(seed: int, parallel: bool, shaped: bool) -> None:
    schema = SHAPE if shaped else None
    way = plan(ASKED, ToolUse(TOOLS, "auto", parallel), template=None, schema=schema)
    assert way.constraint is not None
    answer = walk(way.constraint, Random(seed))

    if answer is not None:
        parts = understood(way, answer)
        calls = [part for part in parts if part[0] == "call"]
        assert parallel or len(calls) <= 1
        assert "<tool_call>" not in "".join(part[1] for part in parts if part[0] == "said")
        assert bool(calls) == ("<tool_call>" in answer)
        if shaped and not calls:
            assert set(json.loads(answer)) == {"ok"}
