"""`POST /v1/embeddings` as OpenAI's own client sends and reads it."""

import math

import openai
import pytest
from openai import OpenAI

from tests.integration.serving.homes import BASE
from tests.integration.surface.conftest import TOKEN, Surface


@pytest.fixture
def client(surface: Surface) -> OpenAI:
    return OpenAI(base_url=f"{surface.root}/v1", api_key=TOKEN, max_retries=0, http_client=surface.http)


def test_J5_a_batch_has_a_point_for_each_text_in_their_order(client: OpenAI) -> None:
    batch = client.embeddings.create(model=BASE, input=["one", "two", "one"])
    single = client.embeddings.create(model=BASE, input="two")

    assert [item.index for item in batch.data] == [0, 1, 2]
    assert batch.data[0].embedding == batch.data[2].embedding != batch.data[1].embedding
    assert single.data[0].embedding == batch.data[1].embedding
    assert math.hypot(*single.data[0].embedding) == pytest.approx(1, abs=1e-6)
    assert batch.usage.prompt_tokens == 9


def test_J5_both_encodings_have_the_same_numbers(client: OpenAI) -> None:
    # The client asks for base64 by itself and decodes it.
    decoded = client.embeddings.create(model=BASE, input="one").data[0].embedding
    plain = client.embeddings.create(model=BASE, input="one", encoding_format="float").data[0].embedding

    assert decoded == pytest.approx(plain, abs=1e-6)


def test_J5_tokens_are_taken_for_a_text_and_lists_of_them_for_several(client: OpenAI) -> None:
    assert len(client.embeddings.create(model=BASE, input=[1, 2, 3]).data) == 1
    assert len(client.embeddings.create(model=BASE, input=[[1, 2], [3]]).data) == 2


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"dimensions": 64}, "dimensions"),
        ({"encoding_format": "int8"}, "encoding_format"),
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": ["a", ""]}, "input"),
        ({"input": [[1], []]}, "input"),
        ({"input": [1.5]}, "input"),
        ({"input": [-1]}, "input"),
        ({"input": ["x"] * 2049}, "input"),
    ],
)
def test_J6_what_cannot_be_embedded_is_400_and_named(client: OpenAI, more: dict[str, object], param: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.post("/embeddings", body={"model": BASE, "input": "x", **more}, cast_to=object)

    assert (refused.value.param or "").startswith(param)
