"""Example prompts that fit, and conversations that are what was said last."""

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from peft_daemon.conversations import store
from peft_engine.profiles import Profile, load_profile
from peft_schemas.config import ProfileName
from peft_schemas.conversations import (
    ChatSettings,
    ConversationAnswer,
    ConversationExchange,
    ConversationKeepParams,
    ConversationSummary,
)
from tests.property.strategies import examples

TAGS = ["letter", "query", "test"]
PROMPTS = st.lists(
    st.fixed_dictionaries(
        {"tag": st.sampled_from([*TAGS, "other"]), "text": st.sampled_from(["A?", "a?", " A? ", "B?", "C?", "D?", ""])}
    ),
    max_size=5,
)


@given(st.sampled_from(get_args(ProfileName)))
@examples(6)
def test_I9_001_P14_each_use_case_has_several_prompts_that_fit_it(name: ProfileName) -> None:
    profile = load_profile(name)
    assert len({prompt.text.casefold() for prompt in profile.prompts}) == len(profile.prompts) >= 3
    assert {prompt.tag for prompt in profile.prompts} <= set(profile.tags)
    others = [load_profile(other) for other in get_args(ProfileName) if other != name]
    assert not {prompt.text for prompt in profile.prompts} & {one.text for other in others for one in other.prompts}


@given(PROMPTS, st.lists(st.sampled_from(TAGS), unique=True))
@examples(200)
def test_I9_001_P14_a_profile_of_one_s_own_is_held_to_the_same(prompts: list[dict[str, Any]], tags: list[str]) -> None:
    own = {**load_profile("chatbot").model_dump(), "prompts": prompts, "tags": tags}
    texts = {" ".join(prompt["text"].casefold().split()) for prompt in prompts}
    distinct = len(texts) == len(prompts) >= 3
    if distinct and all(prompt["text"] for prompt in prompts) and {prompt["tag"] for prompt in prompts} <= set(tags):
        assert len(Profile.model_validate(own).prompts) >= 3
    else:
        with pytest.raises(ValidationError):
            Profile.model_validate(own)


@given(st.lists(st.tuples(st.integers(0, 5), st.text(min_size=1, max_size=8)), min_size=1, max_size=12))
@examples(60)
def test_I7_a_conversation_is_what_was_said_last_at_each_place(steps: list[tuple[int, str]]) -> None:
    settings = ChatSettings(model="base")
    summary: ConversationSummary | None = None
    said: list[str] = []
    for wanted, prompt in steps:
        at = min(wanted, len(said))
        answer = ConversationAnswer(model="base", text=prompt[::-1], finish_reason="stop")
        summary = store.keep_exchange(
            ConversationKeepParams(
                id=summary.id if summary else None,
                revision=summary.revision if summary else 0,
                at=at,
                exchange=ConversationExchange(prompt=prompt, answers=[answer]),
                settings=settings,
            )
        )
        said = [*said[:at], prompt]
        assert summary.exchanges == len(said)
    assert summary is not None
    again = store.open_conversation(summary.id)
    assert [one.prompt for one in again.exchanges] == said
    assert [one.answers[0].text for one in again.exchanges] == [prompt[::-1] for prompt in said]
