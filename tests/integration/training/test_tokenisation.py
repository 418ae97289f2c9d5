"""Row D14: token ids and the mask of what is learned, against expectations made by hand."""

import pytest

from peft_engine.datasets import Conversation, Message, Text
from peft_engine.training.data.batch import collate
from peft_engine.training.data.tokens import ExampleTokeniser
from peft_schemas.errors import WorkbenchError

TALK = Conversation(
    (Message("user", "hi"), Message("assistant", "ho"), Message("user", "so"), Message("assistant", "no"))
)


@pytest.fixture
def tokenizer(tiny_base):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_base)


def learned(tokenizer, example):
    """Return the learned tokens as text, with a gap where something is not learned."""
    parts, before = [], None
    for index, (token, flag) in enumerate(zip(example.ids, example.trained, strict=True)):
        if flag:
            parts.append(("" if before == index - 1 else "|") + tokenizer.decode([token]))
            before = index
    return "".join(parts)


def tokenise(tokenizer, example, max_length=256, completion_only=True):
    (made,) = ExampleTokeniser(tokenizer, max_length=max_length, completion_only=completion_only)([example])
    return made


def test_ids_and_mask_equal_those_made_by_hand(tokenizer):
    start, end = 1, 2
    letters = {letter: tokenizer.convert_tokens_to_ids(letter) for letter in "abcdefghijklmnopqrstuvwxyz"}
    newline = tokenizer.convert_tokens_to_ids("Ċ")

    def word(text):
        return [letters[letter] for letter in text]

    def turn(role, text):
        return [start, *word(role), newline, *word(text), end, newline]

    made = tokenise(tokenizer, TALK)
    assert list(made.ids) == [
        *turn("user", "hi"),
        *turn("assistant", "ho"),
        *turn("user", "so"),
        *turn("assistant", "no"),
    ]
    silent_user = [False] * (1 + 4 + 1 + 2 + 1 + 1)
    spoken = [False] * (1 + 9 + 1) + [True, True, True] + [False]
    assert list(made.trained) == [*silent_user, *spoken, *silent_user, *spoken]


def test_the_end_of_the_turn_is_learned_and_what_follows_it_is_not(tokenizer):
    assert learned(tokenizer, tokenise(tokenizer, TALK)) == "|ho<|im_end|>|no<|im_end|>"


def test_everything_but_the_first_token_is_learned_when_asked(tokenizer):
    made = tokenise(tokenizer, TALK, completion_only=False)
    assert list(made.trained) == [False] + [True] * (len(made.ids) - 1)


def test_a_text_is_learned_whole_and_ends(tokenizer):
    made = tokenise(tokenizer, Text("abc"))
    assert tokenizer.decode(made.ids) == "abc<|im_end|>"
    assert list(made.trained) == [False, True, True, True]


def test_a_long_example_is_cut_at_its_end(tokenizer):
    whole, cut = tokenise(tokenizer, TALK), tokenise(tokenizer, TALK, max_length=23)
    assert cut.ids.tolist() == whole.ids[:23].tolist()
    assert (whole.is_cut, cut.is_cut) == (False, True)
    assert learned(tokenizer, cut) == "|ho"


def test_an_example_whose_prompt_fills_the_row_has_nothing_to_learn(tokenizer):
    assert tokenise(tokenizer, TALK, max_length=21) is None


def test_a_template_without_an_end_of_turn_gets_one(tokenizer):
    tokenizer.chat_template = "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + ' ' }}{% endfor %}{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"  # noqa: E501
    made = tokenise(tokenizer, Conversation(TALK.messages[:2]))
    assert learned(tokenizer, made).endswith("<|im_end|>")


def test_a_model_without_a_template_cannot_take_conversations(tokenizer):
    tokenizer.chat_template = None
    with pytest.raises(WorkbenchError, match="no chat template"):
        tokenise(tokenizer, TALK)


def test_a_template_that_rewrites_the_past_is_refused(tokenizer):
    tokenizer.chat_template = "{{ messages | length }}{% for m in messages %}{{ m['content'] }}{% endfor %}"
    with pytest.raises(WorkbenchError, match="rewrites earlier turns"):
        tokenise(tokenizer, TALK)


def test_the_real_models_template_and_tokens(model_home):
    """The same on SmolLM2, whose tokens are words: the ids are those of its published vocabulary."""
    from transformers import AutoTokenizer

    real = AutoTokenizer.from_pretrained(model_home / "models/HuggingFaceTB--SmolLM2-135M-Instruct")
    made = tokenise(real, Conversation((Message("user", "Hello"), Message("assistant", "Hi there"))))
    text = (
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
        "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\nHi there<|im_end|>\n"
    )
    assert real.decode(made.ids) == text
    assert (made.ids[0], made.ids[1]) == (1, 9690)
    assert learned(real, made) == "|Hi there<|im_end|>"
    assert made.ids[-2] == real.eos_token_id == 2


def test_a_batch_asks_for_predictions_only_before_learned_tokens(tokenizer):
    first = tokenise(tokenizer, Conversation(TALK.messages[:2]))
    second = tokenise(tokenizer, Text("abc"))
    batch = collate([(first, second)])
    assert batch["input_ids"].tolist() == [[*first.ids, *second.ids]]
    assert batch["position_ids"].tolist() == [[*range(len(first.ids)), *range(len(second.ids))]]
    assert batch["cu_seq_lens_q"].tolist() == [0, len(first.ids), len(first.ids) + len(second.ids)]
    assert tokenizer.decode(batch["targets"]) == "ho<|im_end|>bc<|im_end|>"
    ids = batch["input_ids"][0]
    assert all(ids[p + 1] == t for p, t in zip(batch["predict"], batch["targets"], strict=True))
