"""Texts continued as they stand, by the official client from the real model."""

from typing import Any

import openai
import pytest

from tests.integration.serving.homes import BASE, Served

pytestmark = pytest.mark.model
COUNT: dict[str, Any] = {"model": BASE, "prompt": "One, two, three, four,", "temperature": 0, "max_tokens": 6}


def test_J4_a_text_is_continued_the_same_each_time(served: Served) -> None:
    create = served.client().completions.create
    answer = create(**COUNT)

    assert answer.object == "text_completion"
    assert "five" in answer.choices[0].text
    assert answer.choices[0].finish_reason == "length"
    assert create(**COUNT).choices[0].text == answer.choices[0].text
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 6


def test_J4_without_a_limit_it_is_openai_s(served: Served) -> None:
    usage = served.client().completions.create(model=BASE, prompt="One, two, three, four,", temperature=0).usage

    assert usage is not None
    assert usage.completion_tokens <= 16


def test_J4_a_stop_text_cuts_and_another_seed_changes(served: Served) -> None:
    create = served.client().completions.create
    whole = create(**COUNT).choices[0].text
    stopped = create(**COUNT, stop=" five").choices[0]

    assert stopped.text == whole[: whole.index(" five")]
    assert stopped.finish_reason == "stop"
    texts = {create(**COUNT | {"temperature": 2, "seed": seed}).choices[0].text for seed in (1, 2, 3)}
    assert len(texts) > 1


def test_J4_of_a_hot_answer_the_smallest_share_of_probability_leaves_the_likeliest_words(served: Served) -> None:
    create = served.client().completions.create

    hot = COUNT | {"temperature": 2, "seed": 1}
    assert create(**hot, top_p=1e-6).choices[0].text == create(**COUNT).choices[0].text
    assert create(**hot, top_p=1).choices[0].text != create(**COUNT).choices[0].text


def test_J4_a_stream_joined_equals_the_whole(served: Served) -> None:
    create = served.client().completions.create
    chunks = [*create(**COUNT, stream=True, stream_options={"include_usage": True})]

    assert "".join(choice.text for chunk in chunks for choice in chunk.choices) == create(**COUNT).choices[0].text
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices][-1] == "length"
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None


def test_J4_several_prompts_have_several_answers_each(served: Served) -> None:
    prompts = ["One, two, three, four,", "Red, green,"]
    create = served.client().completions.create
    answer = create(**COUNT | {"prompt": prompts}, n=2)
    alone = [create(**COUNT | {"prompt": prompt}) for prompt in prompts]

    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]
    texts = [choice.text for choice in answer.choices]
    assert texts[:2] == [alone[0].choices[0].text] * 2
    assert texts[2:] == [alone[1].choices[0].text] * 2
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == sum(one.usage.prompt_tokens for one in alone if one.usage)


def test_J4_the_prompt_is_repeated_where_it_is_asked_for(served: Served) -> None:
    create = served.client().completions.create
    plain, repeated = create(**COUNT), create(**COUNT, echo=True)

    assert repeated.choices[0].text == COUNT["prompt"] + plain.choices[0].text
    streamed = create(**COUNT, echo=True, stream=True)
    assert "".join(chunk.choices[0].text for chunk in streamed) == repeated.choices[0].text


def test_J4_log_probabilities_are_in_the_older_form(served: Served) -> None:
    create = served.client().completions.create
    choice = create(**COUNT, logprobs=2).choices[0]

    assert choice.logprobs is not None
    tokens, offsets = choice.logprobs.tokens or [], choice.logprobs.text_offset or []
    assert "".join(tokens) == choice.text
    assert offsets == [len("".join(tokens[:number])) for number in range(len(tokens))]
    for token, value, top in zip(
        tokens, choice.logprobs.token_logprobs or [], choice.logprobs.top_logprobs or [], strict=True
    ):
        assert top[token] == value == max(top.values())
    streamed = [chunk.choices[0].logprobs for chunk in create(**COUNT, logprobs=2, stream=True)]
    assert [offset for one in streamed if one for offset in one.text_offset or []] == offsets


def test_J4_tokens_are_a_prompt_too(served: Served) -> None:
    create = served.client().completions.create
    usage = create(**COUNT | {"prompt": [[504, 359], [504, 359, 253]]}).usage

    assert usage is not None
    assert usage.prompt_tokens == 5
    assert create(**COUNT | {"prompt": [504, 359]}).usage.prompt_tokens == 2  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"prompt": [10**7]}, "10000000"),
        ({"prompt": ""}, "prompt: there must be something"),
        ({"prompt": []}, "prompt"),
        ({"prompt": [1], "echo": True}, "echo: only a prompt that is text"),
        ({"prompt": [1], "suffix": "x"}, "suffix: a gap"),
        ({"suffix": "the end"}, "not trained to fill in the middle"),
        ({"echo": True, "logprobs": 1}, "echo: the log-probabilities"),
        ({"logprobs": 6}, "logprobs"),
        ({"best_of": 3}, "best_of"),
        ({"prompt": ["a"] * 5, "n": 16}, "n: at most 64 answers"),
        ({"prompt": "many words " * 6000}, "context"),
    ],
)
def test_J6_what_cannot_be_done_is_400_and_says_why(served: Served, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(openai.BadRequestError, match=words) as refused:
        served.client().completions.create(**COUNT | changes)
    assert refused.value.param in {"prompt", *changes}
