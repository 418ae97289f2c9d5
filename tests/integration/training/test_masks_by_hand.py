"""Row D14: token ids and masks of SmolLM2, written down by hand from its published vocabulary and template."""

import json

import pytest

from peft_engine.datasets import Conversation, Message, Text, load_dataset
from peft_engine.training.data.batch import collate
from peft_engine.training.data.tokens import ExampleTokeniser
from peft_schemas.config import DatasetConfig

pytestmark = pytest.mark.model

# Of the vocabulary: what a turn begins and ends with, the line break, and who speaks.
START, END, LINE = 1, 2, 198
SYSTEM, USER, ASSISTANT, TOOL = [9690], [4093], [520, 9531], [19324]

# What the template says where no system turn is written: "You are a helpful AI assistant named SmolLM, trained by
# Hugging Face".
NAMED = [2683, 359, 253, 5356, 5646, 11173, 3365, 3511, 308, 34519, 28, 7018, 411, 407, 19712, 8182]
BRIEF = [6077, 5453, 30]  # Be, brief, .
HELLO, HI_THERE, BYE, GOOD_BYE = [19556], [26843, 665], [3087, 85], [14229, 411, 85]
DEGREES = [36, 5027]  # 4, degrees
UMLAUTS = [27302, 7170, 34878, 85, 15107, 235, 229]  # Gr, ü, ß, e, and the three bytes groups of a waving hand


def silent(who, words):
    """A turn of which nothing is learned."""
    return [(token, False) for token in [START, *who, LINE, *words, END, LINE]]


def spoken(words):
    """A turn of the assistant: its words and its end are learned, its header and the line break behind it are not."""
    return [
        *((token, False) for token in [START, *ASSISTANT, LINE]),
        *((token, True) for token in [*words, END]),
        (LINE, False),
    ]


def talk(*turns):
    return Conversation(tuple(Message(role, content) for role, content in turns))


ASKED = ("user", "Hello")
ANSWERED = ("assistant", "Hi there")

# A template that ends no turn, and two that mark themselves what is generated: with the turn's end and without it.
BARE = (
    "{% for m in messages %}{{ m.role + ': ' + m.content }}{% if not loop.last %}{{ '\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '\nassistant:' }}{% endif %}"
)
MARKED = (
    "{%- for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}{%- if m.role == 'assistant' %}"
    "{%- generation %}{{ m.content + '<|im_end|>' }}{%- endgeneration %}{{ '\n' }}"
    "{%- else %}{{ m.content + '<|im_end|>\n' }}{%- endif %}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{%- endif %}"
)
MARKED_WITHOUT_END = MARKED.replace(
    "{{ m.content + '<|im_end|>' }}{%- endgeneration %}{{ '\n' }}",
    "{{ m.content }}{%- endgeneration %}{{ '<|im_end|>\n' }}",
)

EXPECTED = {
    "the template speaks for a system that is not written": (
        None,
        talk(ASKED, ANSWERED),
        [*silent(SYSTEM, NAMED), *silent(USER, HELLO), *spoken(HI_THERE)],
    ),
    "a written system takes its place": (
        None,
        talk(("system", "Be brief."), ASKED, ANSWERED),
        [*silent(SYSTEM, BRIEF), *silent(USER, HELLO), *spoken(HI_THERE)],
    ),
    "every answer of several turns is learned": (
        None,
        talk(("system", "Be brief."), ASKED, ANSWERED, ("user", "Bye"), ("assistant", "Good bye")),
        [
            *silent(SYSTEM, BRIEF),
            *silent(USER, HELLO),
            *spoken(HI_THERE),
            *silent(USER, BYE),
            *spoken(GOOD_BYE),
        ],
    ),
    "what a tool answers is read and not learned": (
        None,
        talk(("system", "Be brief."), ASKED, ANSWERED, ("tool", "4 degrees"), ("assistant", "Good bye")),
        [
            *silent(SYSTEM, BRIEF),
            *silent(USER, HELLO),
            *spoken(HI_THERE),
            *silent(TOOL, DEGREES),
            *spoken(GOOD_BYE),
        ],
    ),
    "characters of several tokens are learned whole": (
        None,
        talk(("system", "Be brief."), ASKED, ("assistant", "Grüße 👋")),
        [*silent(SYSTEM, BRIEF), *silent(USER, HELLO), *spoken(UMLAUTS)],
    ),
    "an opening word of the assistant answers nobody": (
        None,
        talk(("assistant", "Hi there"), ASKED, ("assistant", "Good bye")),
        [*silent(SYSTEM, NAMED), *silent(ASSISTANT, HI_THERE), *silent(USER, HELLO), *spoken(GOOD_BYE)],
    ),
    # "user", ":", " Hello", line break, "ass", "istant", ":", " Hi", " there": the token " Hi" has the space that the
    # prompt does not end with, and the end token is put behind what has none.
    "a template without an end of turn gets one": (
        BARE,
        talk(ASKED, ANSWERED),
        [
            *((token, False) for token in [*USER, 42, 38699, LINE, *ASSISTANT, 42]),
            *((token, True) for token in [21041, 665, END]),
        ],
    ),
    "the marks of a template are followed": (
        MARKED,
        talk(ASKED, ANSWERED, ("user", "Bye"), ("assistant", "Good bye")),
        [*silent(USER, HELLO), *spoken(HI_THERE), *silent(USER, BYE), *spoken(GOOD_BYE)],
    ),
    "the end of a turn belongs to the mark before it": (
        MARKED_WITHOUT_END,
        talk(ASKED, ANSWERED),
        [*silent(USER, HELLO), *spoken(HI_THERE)],
    ),
    "a text is learned whole, and ends": (None, Text("Hi there"), [(26843, False), (665, True), (END, True)]),
}


@pytest.fixture(scope="module")
def folder(model_cache):
    return model_cache / "HuggingFaceTB--SmolLM2-135M-Instruct"


@pytest.fixture
def tokenizer(folder):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


def tokenised(tokenizer, example, *, max_length=512, completion_only=True):
    (made,) = ExampleTokeniser(tokenizer, max_length=max_length, completion_only=completion_only)([example])
    return list(zip(made.ids.tolist(), made.trained.tolist(), strict=True))


@pytest.mark.parametrize("case", EXPECTED)
def test_D14_ids_and_mask_equal_those_made_by_hand(tokenizer, case):
    template, example, expected = EXPECTED[case]
    if template is not None:
        tokenizer.chat_template = template
    assert tokenised(tokenizer, example) == expected


def test_D14_without_completion_only_all_but_the_first_token_is_learned(tokenizer):
    _, example, expected = EXPECTED["every answer of several turns is learned"]
    ids = [token for token, _ in expected]
    assert tokenised(tokenizer, example, completion_only=False) == [
        (START, False),
        *((token, True) for token in ids[1:]),
    ]


def test_D14_a_batch_is_tokenised_as_each_example_alone(tokenizer):
    examples = [example for template, example, _ in EXPECTED.values() if template is None]
    made = ExampleTokeniser(tokenizer, max_length=512, completion_only=True)(examples)
    together = [list(zip(one.ids.tolist(), one.trained.tolist(), strict=True)) for one in made]
    assert together == [expected for template, _, expected in EXPECTED.values() if template is None]


@pytest.mark.parametrize("template", [None, MARKED, MARKED_WITHOUT_END])
def test_D14_a_cut_keeps_the_beginning_and_loses_the_end_of_the_turn(tokenizer, template):
    if template is not None:
        tokenizer.chat_template = template
    example = talk(("system", "Be brief."), ASKED, ANSWERED)
    whole = tokenised(tokenizer, example)
    cut = tokenised(tokenizer, example, max_length=len(whole) - 2)
    assert cut == whole[:-2]
    assert cut[-1] == (665, True)


def test_D14_the_end_is_a_target_though_it_is_also_the_token_that_pads(tokenizer):
    assert tokenizer.pad_token_id == tokenizer.eos_token_id == END
    examples = [EXPECTED[case][1] for case in ("a written system takes its place", "a text is learned whole, and ends")]
    made = ExampleTokeniser(tokenizer, max_length=512, completion_only=True)(examples)
    batch = collate([(one,) for one in made])
    assert batch["targets"].tolist() == [*HI_THERE, END, 665, END]
    assert batch["input_ids"].numel() == sum(len(one.ids) for one in made), "nothing is padded"


SHAPES = {
    "messages": {"messages": [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi there"}]},
    "sharegpt": {"conversations": [{"from": "human", "value": "Hello"}, {"from": "gpt", "value": "Hi there"}]},
    "alpaca": {"instruction": "Hello", "input": "", "output": "Hi there"},
    "prompt-completion": {"prompt": "Hello", "completion": "Hi there"},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_D14_every_shape_of_a_record_comes_to_the_same_tokens(tokenizer, tmp_path, shape):
    (tmp_path / "d.jsonl").write_text(json.dumps(SHAPES[shape]) + "\n")
    loaded = load_dataset(DatasetConfig(path="d.jsonl"), tmp_path)
    assert loaded.format == shape
    expected = EXPECTED["the template speaks for a system that is not written"][2]
    assert tokenised(tokenizer, loaded.examples[0]) == expected
