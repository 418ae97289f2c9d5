"""What counts as a call and what only looks like one."""

import pytest

from peft_engine.inference.tools.reader import CallArguments, CallBegun, CallReader, Said
from peft_engine.inference.tools.syntax import syntax_of, tool_data

SYNTAXES = tool_data().syntaxes
WEATHER = '{"name": "weather", "arguments": {"city": "Paris"}}'
CALLED = [CallBegun(0, "weather"), CallArguments(0, '{"city": "Paris"}')]


def read(answer: str, syntax: str = "hermes", most: int | None = None) -> list[object]:
    reader = CallReader(SYNTAXES[syntax], ["weather", "add"], most=most)
    return [*reader.feed(answer), *reader.end()]


@pytest.mark.parametrize(
    ("syntax", "answer"),
    [
        ("hermes", f"<tool_call>\n{WEATHER}\n</tool_call>"),
        ("hermes", f"<tool_call>{WEATHER}</tool_call>\n"),
        ("hermes", f"<tool_call>{WEATHER}"),
        ("hermes", f"<tool_call>[{WEATHER}]</tool_call>"),
        ("hermes", '<tool_call>{"arguments": {"city": "Paris"}, "name": "weather"}</tool_call>'),
        ("hermes", '<tool_call>{"name": "weather", "arguments": "{\\"city\\": \\"Paris\\"}"}</tool_call>'),
        ("hermes", '<tool_call>{"name": "weather", "parameters": {"city": "Paris"}, "id": "}"}</tool_call>'),
        ("mistral", f"[TOOL_CALLS][{WEATHER}]"),
        ("mistral", f" [{WEATHER}]"),
        ("llama-json", '{"name": "weather", "parameters": {"city": "Paris"}}'),
        ("llama-json", f"<|python_tag|>{WEATHER}"),
    ],
)
def test_a_call_is_read_as_its_family_writes_it(syntax: str, answer: str) -> None:
    assert read(answer, syntax) == CALLED


@pytest.mark.parametrize(
    ("syntax", "answer"),
    [
        ("hermes", WEATHER),
        ("hermes", "A <tool_call> is written so."),
        ("hermes", "<tool_call>{}</tool_call>"),
        ("hermes", '<tool_call>{"name": "rob", "arguments": {}}</tool_call>'),
        ("hermes", '<tool_call>{"name": "weather", "arguments": 7}</tool_call>'),
        ("hermes", '<tool_call>{"name": "wea'),
        ("hermes", "<tool_c"),
        ("hermes", '<tool_call>{"a": ' + "[" * 3000 + "]" * 3000 + "}"),
        ("mistral", "[1, 2]"),
        ("mistral", "[TOOL"),
        ("mistral", "[TOOL_CALLS] []"),
        ("llama-json", '{"city": "Paris"}'),
        ("llama-json", f"Call {WEATHER}"),
        ("llama-json", "  {"),
    ],
)
def test_what_only_looks_like_a_call_is_text(syntax: str, answer: str) -> None:
    parts = read(answer, syntax)

    assert all(isinstance(part, Said) for part in parts)
    assert "".join(part.text for part in parts if isinstance(part, Said)) == answer


def test_text_before_and_behind_calls_stays_without_the_space_between() -> None:
    answer = f"Let me see. \n<tool_call>\n{WEATHER}\n</tool_call>\n\nWait for it."

    assert read(answer) == [Said("Let me see."), *CALLED, Said("Wait for it.")]


def test_several_calls_are_counted() -> None:
    add = '{"name": "add", "arguments": {}}'
    two = [*CALLED, CallBegun(1, "add"), CallArguments(1, "{}")]

    assert read(f"<tool_call>{WEATHER}</tool_call>\n<tool_call>{add}</tool_call>") == two
    assert read(f"[TOOL_CALLS][{WEATHER}, {add}]", "mistral") == two
    assert read(f"{WEATHER}; {add}", "llama-json") == two
    assert read(f"<tool_call>{WEATHER}</tool_call><tool_call>{add}</tool_call>Done.", most=1) == CALLED


def test_a_further_call_that_is_cut_off_at_its_name_is_dropped() -> None:
    assert read(f'<tool_call>{WEATHER}</tool_call>\n<tool_call>{{"name": "ad') == CALLED


def test_arguments_stream_as_they_are_written() -> None:
    reader = CallReader(SYNTAXES["hermes"], ["weather"])
    parts = [
        reader.feed(piece) for piece in ("<tool_call>{", '"name": "weather", "arguments"', ': {"ci', 'ty": 1}', "}")
    ]

    assert parts == [[], [], [CallBegun(0, "weather"), CallArguments(0, '{"ci')], [CallArguments(0, 'ty": 1}')], []]


@pytest.mark.parametrize(
    ("template", "name"),
    [
        (None, None),
        ("{{ messages }} <tool_call>", None),
        ("{% if tools %}<tool_call>", "hermes"),
        ("{% if tools %}<tool_call><function=", None),
        ("{% if tools %}[TOOL_CALLS]", "mistral"),
        ("{% if tools %}[TOOL_CALLS]name[ARGS]", None),
        ('{% if tools %}"parameters": dictionary of argument name', "llama-json"),
        ("{% if tools %}<|function_calls|>", None),
    ],
)
def test_a_template_tells_how_its_models_call(template: str | None, name: str | None) -> None:
    assert syntax_of(template) == (None if name is None else SYNTAXES[name])
