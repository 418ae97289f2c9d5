"""What follows from each token: text, log-probabilities, and the end."""

import json

import numpy as np
import pytest
from llguidance import LLTokenizer

from peft_engine.inference.answer import Answer
from peft_engine.inference.contract import Constraint, GenerationRequest, Sampling, Text
from peft_schemas.errors import WorkbenchError

END = 256
GUIDE = LLTokenizer("byte")


class Bytes:
    """A vocabulary of single bytes and one token that ends an answer."""

    guide = GUIDE
    size = GUIDE.vocab_size

    def ends_answer(self, token: int) -> bool:
        return token in GUIDE.eos_tokens

    def piece(self, token: int) -> bytes:
        return b"" if token >= END else bytes([token])

    def spelling(self, token: int) -> bytes:
        return b"<end>" if token >= END else bytes([token])


def begin(limit: int = 1000, **asked: object) -> Answer:
    request = GenerationRequest(Text(""), (), Sampling(0, 1, 0), None, **asked)  # type: ignore[arg-type]
    return Answer(Bytes(), request, [], limit=limit)


def wants(token: int) -> np.ndarray:
    """Return logits of which one token has by far the largest."""
    logits = np.zeros(GUIDE.vocab_size, np.float32)
    logits[token] = 20
    return logits


def say(answer: Answer, text: str) -> list[tuple[str, str]]:
    """Feed a text and return the pairs of text and log-probabilities' bytes that came out."""
    found = []
    for token in [*text.encode(), GUIDE.eos_token]:
        if answer.finish_reason is None:
            answer.accept(wants(token))
            delta = answer.take()
            found.append((delta.text, b"".join(one.bytes for one in delta.logprobs).decode("latin-1")))
    return found


def test_log_probabilities_come_with_the_text_that_they_belong_to() -> None:
    found = say(begin(top_logprobs=1, stop=("lot",)), "a lost lot!")

    assert found == [
        ("a", "a"), (" ", " "), ("", ""), ("", ""), ("los", "los"), ("t", "t"), (" ", " "), ("", ""), ("", ""),
        ("", ""),
    ]  # fmt: skip


def test_tokens_of_a_stop_text_are_not_reported() -> None:
    answer = begin(top_logprobs=0, stop=("bc",))
    found = say(answer, "abcd")

    assert "".join(logprobs for _, logprobs in found) == "a"
    assert (answer.finish_reason, answer.completion_tokens) == ("stop", 3)


def test_every_token_of_a_character_is_reported() -> None:
    found = say(begin(top_logprobs=0), "é")

    assert "".join(text for text, _ in found) == "é"
    assert "".join(logprobs for _, logprobs in found) == "é".encode().decode("latin-1")


def test_what_was_held_back_comes_when_the_answer_ends() -> None:
    answer = begin(limit=2, top_logprobs=0, stop=("abc",))

    assert say(answer, "abz") == [("", ""), ("ab", "ab")]
    assert answer.finish_reason == "length"


def test_an_answer_of_no_tokens_ends_with_the_prompt() -> None:
    answer = begin(limit=0)
    answer.accept(wants(65))

    assert (answer.finish_reason, answer.completion_tokens, answer.take().text) == ("length", 0, "")


def test_a_log_probability_is_that_before_a_bias() -> None:
    request = GenerationRequest(Text(""), (), Sampling(0, 1, 0, logit_bias=((65, 100.0),)), None, top_logprobs=2)
    answer = Answer(Bytes(), request, [], limit=5)
    answer.accept(wants(66))
    (one,) = answer.take().logprobs

    assert (one.id, one.bytes) == (65, b"A")
    assert one.logprob < -19
    assert one.top[0].id == 66


SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 3}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


def test_a_constrained_answer_is_complete_whatever_the_model_wants() -> None:
    answer = begin(limit=200, constraint=Constraint("json-schema", json.dumps(SCHEMA)))
    text = ""
    random = np.random.default_rng(0)
    while answer.finish_reason is None:
        answer.accept(random.normal(size=GUIDE.vocab_size).astype(np.float32))
        text += answer.take().text

    if answer.finish_reason == "stop":
        assert set(json.loads(text)) == {"name", "age"}


def test_a_model_that_wants_only_space_comes_to_an_end() -> None:
    answer = begin(limit=400, constraint=Constraint("json-schema", json.dumps(SCHEMA)))
    text = ""
    while answer.finish_reason is None:
        answer.accept(wants(ord(" ")))
        text += answer.take().text

    assert answer.finish_reason == "stop"
    assert set(json.loads(text)) == {"name", "age"}


@pytest.mark.parametrize(
    "constraint",
    [
        Constraint("regex", "(a"),
        Constraint("regex", "a" * 100_000),
        Constraint("json-schema", "no json"),
        Constraint("json-schema", "[1]"),
        Constraint("json-schema", '{"type": "whatever"}'),
        Constraint("json-schema", '{"$ref": "#"}'),
        Constraint("json-schema", '{"$ref": "http://169.254.169.254/schema"}'),
        Constraint("json-schema", '{"items":' * 3000 + "{}" + "}" * 3000),
        Constraint("lark", "start: /(/"),
        Constraint("lark", "start: missing"),
    ],
    ids=lambda constraint: f"{constraint.kind} {constraint.text[:20]}",
)
def test_a_hostile_constraint_is_refused_with_a_sentence(constraint: Constraint) -> None:
    with pytest.raises(WorkbenchError) as refused:
        begin(constraint=constraint)

    assert refused.value.code == "not-supported"
    assert "\n" not in refused.value.message
    assert len(refused.value.message) < 1000


@pytest.mark.parametrize(
    "constraint",
    [
        Constraint("regex", "(a+)+b"),
        Constraint("regex", "(((a{1,1000}){1,1000}){1,1000}){1,1000}b{99999999}"),
        Constraint("regex", "(x|y)*x(x|y){25}"),
        Constraint("json-schema", json.dumps({"type": "array", "minItems": 10**6, "items": {"type": "integer"}})),
    ],
    ids=lambda constraint: constraint.text[:20],
)
def test_a_constraint_that_ruins_other_engines_of_expressions_is_followed(constraint: Constraint) -> None:
    answer = begin(limit=50, constraint=constraint)
    random = np.random.default_rng(0)
    while answer.finish_reason is None:
        answer.accept(random.normal(size=GUIDE.vocab_size).astype(np.float32))

    assert answer.completion_tokens > 0
