"""`POST /v1/responses` as OpenAI's own client reads it."""

import openai
import pytest
from openai import OpenAI
from openai.types.responses import ResponseOutputMessage

from tests.integration.serving.homes import BASE
from tests.integration.surface.conftest import TOKEN, Surface
from tests.integration.surface.reciting import VERSE

TEXT = "".join(word + " " for word in VERSE)


@pytest.fixture
def client(surface: Surface) -> OpenAI:
    return OpenAI(base_url=f"{surface.root}/v1", api_key=TOKEN, max_retries=0, http_client=surface.http)


def test_an_answer_has_its_text_and_counts(client: OpenAI) -> None:
    answer = client.responses.create(model=BASE, input="Recite.", instructions="Be brief.", metadata={"a": "b"})

    assert answer.output_text == TEXT
    assert answer.status == "completed"
    assert answer.incomplete_details is None
    assert answer.instructions == "Be brief."
    assert answer.metadata == {"a": "b"}
    assert answer.usage is not None
    assert answer.usage.output_tokens == len(VERSE)
    assert answer.usage.input_tokens_details.cached_tokens == 1


def test_an_answer_that_is_cut_says_so(client: OpenAI) -> None:
    answer = client.responses.create(model=BASE, input="Recite.", max_output_tokens=2)

    assert answer.status == "incomplete"
    assert answer.incomplete_details is not None
    assert answer.incomplete_details.reason == "max_output_tokens"
    assert isinstance(answer.output[0], ResponseOutputMessage)
    assert answer.output[0].status == "incomplete"
    assert answer.output_text == "".join(word + " " for word in VERSE[:2])


def test_a_stream_tells_the_same_in_order(client: OpenAI) -> None:
    with client.responses.stream(model=BASE, input="Recite.") as stream:
        events = list(stream)
        final = stream.get_final_response()

    kinds = [event.type for event in events]
    assert kinds[:4] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
    ]
    assert kinds[-4:] == [
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert set(kinds[4:-4]) == {"response.output_text.delta"}
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == TEXT
    assert final.output_text == TEXT


def test_the_wire_names_each_event_and_ends_with_the_last(surface: Surface) -> None:
    text = surface.post("/v1/responses", {"model": BASE, "input": "Recite.", "stream": True}).text
    blocks = [block for block in text.split("\n\n") if block and not block.startswith(":")]

    assert all(block.startswith("event: response.") and "\ndata: {" in block for block in blocks)
    assert blocks[-1].startswith("event: response.completed")


def test_a_conversation_with_calls_and_results_is_taken(client: OpenAI) -> None:
    answer = client.responses.create(
        model=BASE,
        input=[
            {"role": "developer", "content": "Use tools."},
            {"role": "user", "content": [{"type": "input_text", "text": "What is the weather?"}]},
            {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": '{"city": "Oslo"}'},
            {"type": "function_call_output", "call_id": "call_1", "output": "Rain."},
        ],
        tools=[{"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": False}],
        tool_choice="none",
    )

    assert answer.output_text == TEXT


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"background": True}, "background"),
        ({"truncation": "auto"}, "truncation"),
        ({"input": []}, "input"),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]}, "input.0"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"temperature": 3}, "temperature"),
        ({"tools": [{"type": "web_search"}]}, "tools.0.type"),
        ({"tools": [{"type": "function", "name": "a b"}]}, "tools.0.name"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"text": {"format": {"type": "json_schema", "name": "x"}}}, "text.format"),
    ],
)
def test_what_cannot_be_honoured_is_400_and_named(client: OpenAI, more: dict[str, object], param: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.post("/responses", body={"model": BASE, "input": "x", **more}, cast_to=object)

    assert (refused.value.param or "").startswith(param)


def test_an_unknown_model_is_404(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        client.responses.create(model="nobody/nothing", input="x")
