"""Each family's way to write a conversation, against what its makers published."""

from typing import Any

import pytest
from pydantic import ValidationError

from peft_engine.chat_template import TemplateRequest, render
from peft_engine.inference.contract import Conversation, Text
from peft_engine.inference.template_conversation import fold_system, turn_beginnings
from peft_engine.prompt_formats import PromptFormats, prompt_formats, recognise_format, recognise_infill

TALK = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hello."},
    {"role": "assistant", "content": "Hi!"},
    {"role": "user", "content": " How are you? "},
]
ALPACA = "Below is an instruction that describes a task. Write a response that appropriately completes the request."
GOLDEN = {
    "chatml": "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHello.<|im_end|>\n"
    "<|im_start|>assistant\nHi!<|im_end|>\n<|im_start|>user\nHow are you?<|im_end|>\n<|im_start|>assistant\n",
    "llama2": "<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nHello. [/INST] Hi! </s><s>[INST] How are you? [/INST]",
    "llama3": "<s><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
    "<|start_header_id|>user<|end_header_id|>\n\nHello.<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\nHi!<|eot_id|>"
    "<|start_header_id|>user<|end_header_id|>\n\nHow are you?<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\n",
    "mistral": "<s>[INST] Be brief.\n\nHello.[/INST] Hi!</s>[INST] How are you?[/INST]",
    "gemma": "<s><start_of_turn>user\nBe brief.\n\nHello.<end_of_turn>\n<start_of_turn>model\nHi!<end_of_turn>\n"
    "<start_of_turn>user\nHow are you?<end_of_turn>\n<start_of_turn>model\n",
    "phi": "<|system|>\nBe brief.<|end|>\n<|user|>\nHello.<|end|>\n<|assistant|>\nHi!<|end|>\n"
    "<|user|>\nHow are you?<|end|>\n<|assistant|>\n",
    "alpaca": "Be brief.\n\n### Instruction:\nHello.\n\n### Response:\nHi!</s>\n\n"
    "### Instruction:\nHow are you?\n\n### Response:\n",
    "plain": "Be brief.\n\nUser: Hello.\nAssistant: Hi!\nUser: How are you?\nAssistant:",
}


def written(name: str, messages: list[dict[str, Any]], **options: bool) -> str:
    return render(TemplateRequest(prompt_formats().formats[name].template, messages, "<s>", "</s>", **options))


def test_every_format_has_its_golden_string() -> None:
    assert prompt_formats().formats.keys() == GOLDEN.keys()


@pytest.mark.parametrize("name", GOLDEN)
def test_E32_a_talk_of_three_turns_is_written_as_the_family_learned_it(name: str) -> None:
    assert written(name, TALK) == GOLDEN[name]


@pytest.mark.parametrize("name", GOLDEN)
def test_E32_no_format_drops_what_the_system_says(name: str) -> None:
    assert written(name, TALK).count("Be brief.") == 1
    assert "Be brief." not in written(name, TALK[1:])
    assert written(name, TALK[1:]).count("Hello.") == 1


@pytest.mark.parametrize("name", GOLDEN)
def test_a_talk_that_asks_for_no_answer_ends_with_what_was_said(name: str) -> None:
    whole, without = written(name, TALK), written(name, TALK, asks_for_answer=False)

    assert whole.startswith(without)
    assert "How are you?" in without


def test_alpaca_without_a_system_says_its_own_sentence() -> None:
    assert written("alpaca", TALK[1:2]) == f"{ALPACA}\n\n### Instruction:\nHello.\n\n### Response:\n"


@pytest.mark.parametrize("name", [name for name, known in prompt_formats().formats.items() if known.recognised_by])
def test_a_format_is_recognised_by_all_its_tokens(name: str) -> None:
    known = prompt_formats().formats[name]

    assert recognise_format({*known.recognised_by, "<s>", "</s>"}) == known
    assert recognise_format(set(known.recognised_by[1:])) is None


def test_special_tokens_of_no_family_tell_nothing() -> None:
    assert recognise_format({"<s>", "</s>", "<pad>"}) is None
    assert recognise_infill({"<|fim_prefix|>", "<|fim_suffix|>"}) is None
    assert recognise_infill({"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"}) is not None


def test_two_formats_cannot_be_recognised_by_the_same_tokens() -> None:
    one = {"title": "one", "recognised_by": ["<a>"], "template": ""}
    other = {"title": "other", "recognised_by": ["<b>", "<a>"], "template": ""}
    with pytest.raises(ValidationError, match="same tokens"):
        PromptFormats.model_validate({"formats": {"one": one, "other": other}, "turn_ends": ["<e>"], "infill": []})


def test_a_format_without_turn_tokens_ends_the_answer_before_the_users_turn() -> None:
    assert turn_beginnings(Conversation((), template="plain")) == ("\nUser:",)
    assert turn_beginnings(Conversation((), template="chatml")) == ()
    assert turn_beginnings(Conversation(())) == turn_beginnings(Text("plain")) == ()


def test_a_system_is_folded_into_the_first_user_turn() -> None:
    assert fold_system(TALK) == [{"role": "user", "content": "Be brief.\n\nHello."}, *TALK[2:]]
    assert fold_system(TALK[1:]) is None
    assert fold_system(TALK[:1]) is None
    assert fold_system([TALK[0], {"role": "user", "content": [{"type": "text", "text": "Hello."}]}]) is None
