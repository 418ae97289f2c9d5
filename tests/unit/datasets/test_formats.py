import pytest

from peft_engine.datasets.examples import Conversation, Message, Text
from peft_engine.datasets.formats import BadRecord, normalise, recognise

QUESTION = Message("user", "Why is the sky blue?")
ANSWER = Message("assistant", "Because of scattering.")
SYSTEM = Message("system", "Be brief.")


@pytest.mark.parametrize(
    ("record", "shape", "expected"),
    [
        (
            {
                "messages": [
                    {"role": "user", "content": QUESTION.content},
                    {"role": "assistant", "content": ANSWER.content},
                ]
            },
            "messages",
            Conversation((QUESTION, ANSWER)),
        ),
        (
            {"conversations": [{"from": "human", "value": QUESTION.content}, {"from": "gpt", "value": ANSWER.content}]},
            "sharegpt",
            Conversation((QUESTION, ANSWER)),
        ),
        (
            {
                "system": SYSTEM.content,
                "conversations": [
                    {"from": "human", "value": QUESTION.content},
                    {"from": "gpt", "value": ANSWER.content},
                ],
            },
            "sharegpt",
            Conversation((SYSTEM, QUESTION, ANSWER)),
        ),
        (
            {"instruction": "Translate.", "input": "Guten Tag", "output": "Good day"},
            "alpaca",
            Conversation((Message("user", "Translate.\n\nGuten Tag"), Message("assistant", "Good day"))),
        ),
        (
            {"instruction": QUESTION.content, "input": "", "output": ANSWER.content},
            "alpaca",
            Conversation((QUESTION, ANSWER)),
        ),
        (
            {"prompt": QUESTION.content, "completion": ANSWER.content},
            "prompt-completion",
            Conversation((QUESTION, ANSWER)),
        ),
        (
            {
                "prompt": [{"role": "user", "content": QUESTION.content}],
                "completion": [{"role": "assistant", "content": ANSWER.content}],
            },
            "prompt-completion",
            Conversation((QUESTION, ANSWER)),
        ),
        ({"text": "A whole page."}, "text", Text("A whole page.")),
    ],
)
def test_each_shape_is_recognised_and_brought_to_the_one_form(record, shape, expected):
    assert recognise(record) == shape
    assert normalise(record, shape) == expected


@pytest.mark.parametrize("speaker", ["tool", "function", "observation", "ipython", "Tool"])
def test_what_a_tool_answers_is_a_turn_of_its_own(speaker):
    turns = [("human", "Warm?"), ("gpt", "I look."), (speaker, "4 degrees"), ("gpt", "No.")]
    made = normalise({"conversations": [{"from": who, "value": text} for who, text in turns]}, "sharegpt")
    assert isinstance(made, Conversation)
    assert [turn.role for turn in made.messages] == ["user", "assistant", "tool", "assistant"]


def test_the_one_form_written_as_messages_comes_back_unchanged():
    first = normalise({"instruction": "Add.", "input": "1 2", "output": "3"}, "alpaca")
    assert isinstance(first, Conversation)
    again = {"messages": [{"role": turn.role, "content": turn.content} for turn in first.messages]}
    assert normalise(again, "messages") == first


def test_a_list_of_text_parts_is_one_text():
    record = {
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo"}]},
            {"role": "assistant", "content": "Hi"},
        ]
    }
    assert normalise(record, "messages") == Conversation((Message("user", "Hello"), Message("assistant", "Hi")))


@pytest.mark.parametrize(
    ("record", "shape", "why"),
    [
        ({"messages": []}, "messages", "no list of turns"),
        ({"messages": [{"role": "user", "content": "Hi"}]}, "messages", "no turn of the assistant"),
        ({"messages": [{"role": "robot", "content": "Hi"}]}, "messages", "unknown speaker 'robot' in turn 1"),
        (
            {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": " "}]},
            "messages",
            "no text in turn 2",
        ),
        ({"messages": ["Hi"]}, "messages", "not a turn"),
        (
            {
                "messages": [
                    {"role": "user", "content": "Weather?"},
                    {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "weather"}}]},
                ]
            },
            "messages",
            "tool calls in turn 2",
        ),
        ({"prompt": "Hi", "completion": None}, "prompt-completion", "no text in `completion`"),
        ({"instruction": "Do it", "output": 3}, "alpaca", "no text in `output`"),
        ({"text": ""}, "text", "no text in `text`"),
    ],
)
def test_a_record_without_its_parts_says_which(record, shape, why):
    with pytest.raises(BadRecord, match=why.replace("(", r"\(")):
        normalise(record, shape)


def test_unknown_fields_have_no_shape():
    assert recognise({"question": "Hi", "answer": "Ho"}) is None
