"""What every engine promises of an answer."""

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peft_engine.inference.contract import Constraint, Conversation, Engine, Infill, Sampling, Text, Tokens
from peft_schemas.errors import WorkbenchError
from tests.integration.serving.engines.asking import GREEDY, LONG, Answer, answer, finish, request, said
from tests.property.strategies import examples

pytestmark = pytest.mark.model


def require_embeddings(engine: Engine) -> None:
    """Skip a test of embeddings for an engine that says it has none, and see that it refuses them."""
    if "embeddings" in engine.capabilities:
        return
    with pytest.raises(WorkbenchError, match="cannot embed") as refused:
        engine.embed(["The cat sat on the mat."], ())
    assert refused.value.code == "not-supported"
    pytest.skip("this engine has no embeddings, and said so")


WARM = Sampling(temperature=0.9, top_p=0.95, seed=7)


def test_equal_requests_get_equal_answers(engine: Engine) -> None:
    one, other = (answer(engine, request("Tell me of the sea.", top_logprobs=3))[0] for _ in range(2))

    assert one == replace(other, cached_tokens=one.cached_tokens)
    assert one.completion_tokens == 12


def test_what_only_saves_time_counts_and_can_be_given_up(fresh: Callable[..., Engine]) -> None:
    engine = fresh(slots=1)
    asks = [request(f"Chapter {number}. {LONG}", top_logprobs=3) for number in range(3)]
    before = [answer(engine, ask)[0] for ask in asks]
    kept, needed = engine.kept_bytes, engine.memory_bytes - engine.kept_bytes

    engine.forget_kept(kept)
    assert (engine.kept_bytes, engine.memory_bytes) == (0, needed)
    after = [answer(engine, ask)[0] for ask in asks]

    assert [one.logprobs for one in after] == [one.logprobs for one in before]


def test_the_seed_alone_makes_a_drawn_answer(engine: Engine) -> None:
    prompt = "Tell me of the sea."
    drawn = [answer(engine, request(prompt, sampling=replace(WARM, seed=seed)))[0].text for seed in (7, 7, 8)]

    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]
    assert drawn[0] != answer(engine, request(prompt))[0].text


def test_the_tokens_of_a_text_are_those_that_a_prompt_of_it_has(engine: Engine) -> None:
    text = "Zoë counts 1, 2, 3.\n  日本語"
    plain = answer(engine, request(text, max_tokens=1))[0]
    ids = engine.tokenize(text)

    assert len(ids) == plain.prompt_tokens
    assert answer(engine, request(Tokens(tuple(ids)), max_tokens=1))[0].text == plain.text


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(temperature=1, top_p=1, seed=1, top_k=1),
        Sampling(temperature=1, top_p=1e-6, seed=1),
        Sampling(temperature=1, top_p=1, seed=1, min_p=1),
        Sampling(temperature=1e-4, top_p=1, seed=1),
    ],
    ids=["top-k", "top-p", "min-p", "cold"],
)
def test_a_draw_from_one_token_is_the_most_likely_one(engine: Engine, sampling: Sampling) -> None:
    prompt = "Tell me of the sea."

    assert answer(engine, request(prompt, sampling=sampling))[0].text == answer(engine, request(prompt))[0].text


def test_a_bias_forces_or_forbids_a_token(engine: Engine) -> None:
    plain = answer(engine, request("Tell me.", top_logprobs=1))[0]
    other = next(token for token in plain.ids if token != plain.ids[0])
    forced = answer(
        engine, request("Tell me.", sampling=replace(GREEDY, logit_bias=((other, 1000.0),)), top_logprobs=1)
    )[0]
    forbidden = answer(
        engine, request("Tell me.", sampling=replace(GREEDY, logit_bias=((plain.ids[0], -1000.0),)), top_logprobs=1)
    )[0]

    assert set(forced.ids) == {other}
    assert plain.ids[0] not in forbidden.ids


def test_penalties_keep_an_answer_from_saying_a_token_again(engine: Engine) -> None:
    token = answer(engine, request("Tell me.", max_tokens=1, top_logprobs=1))[0].ids[0]
    biased = replace(GREEDY, logit_bias=((token, 100.0),))
    counts = {}
    for name, penalty in {"frequency_penalty": 60.0, "presence_penalty": 400.0}.items():
        sampling = replace(biased, **{name: penalty})
        counts[name] = answer(engine, request("Tell me.", sampling=sampling, top_logprobs=1))[0].ids.count(token)

    assert answer(engine, request("Tell me.", sampling=biased, top_logprobs=1))[0].ids.count(token) == 12
    assert counts == {"frequency_penalty": 2, "presence_penalty": 1}


def test_a_repetition_penalty_counts_what_the_prompt_says(engine: Engine) -> None:
    plain = answer(engine, request("Tell me.", max_tokens=1, top_logprobs=1))[0].ids[0]
    sampling = replace(GREEDY, repetition_penalty=1e6)
    first = answer(engine, request(Tokens((plain, 50, plain)), sampling=sampling, top_logprobs=1, max_tokens=30))[0]

    assert len(set(first.ids)) == len(first.ids)
    assert plain not in first.ids


def test_I3_what_is_streamed_is_the_whole(engine: Engine) -> None:
    streamed = answer(engine, request("Tell me of the sea.", max_tokens=60))[0]
    sequence = engine.open(request("Tell me of the sea.", max_tokens=60))
    while sequence.finish_reason is None:
        engine.step()
    whole = sequence.take()
    sequence.close()

    assert len(streamed.pieces) > 10
    assert whole.text == streamed.text


@examples(6)
@given(seed=st.integers(0, 2**32))
def test_E31_no_half_character_is_ever_sent(engine: Engine, seed: int) -> None:
    drawn = answer(engine, request("日本語", sampling=Sampling(3.0, 1, seed), max_tokens=40, top_logprobs=0))[0]
    joined = b"".join(token.bytes for token in drawn.logprobs)

    assert drawn.text == "".join(drawn.pieces)
    try:
        # What the random model says is seldom text; what is, must have come as it is.
        assert joined.decode() == drawn.text or b"<|" in joined
    except UnicodeDecodeError:
        assert "\ufffd" in drawn.text or len(joined) > len(drawn.text.encode())


def test_an_answer_ends_before_its_stop_text(engine: Engine) -> None:
    whole = answer(engine, request("Tell me of the sea.", max_tokens=40))[0]
    stop = whole.text[9:14]
    stopped = answer(engine, request("Tell me of the sea.", max_tokens=40, stop=("no such text", stop)))[0]

    assert stopped.text == whole.text[: whole.text.index(stop)]
    assert stopped.finish_reason == "stop"
    assert stopped.completion_tokens < whole.completion_tokens


def test_an_answer_that_is_cut_says_so(engine: Engine) -> None:
    cut = answer(engine, request("Tell me of the sea.", max_tokens=5))[0]

    assert (cut.finish_reason, cut.completion_tokens) == ("length", 5)


def test_an_answer_without_a_limit_ends_with_the_context(fresh: Callable[..., Engine]) -> None:
    engine = fresh(context_length=64)
    cut = answer(
        engine, request("Tell me.", max_tokens=None, sampling=replace(GREEDY, logit_bias=((2, -1e4), (0, -1e4))))
    )[0]

    assert cut.finish_reason == "length"
    assert cut.prompt_tokens + cut.completion_tokens == engine.context_length


def test_a_prompt_beyond_the_context_is_refused_with_both_numbers(engine: Engine) -> None:
    full = tuple(range(100, 100 + engine.context_length))
    # What cannot embed tells of a text that is too long all the same.
    calls: list[tuple[int, Callable[[], object]]] = [
        (len(full), lambda: engine.open(request(Tokens(full)))),
        (len(full) + 1, lambda: engine.embed([(*full, 5)], ())),
    ]
    for length, call in calls:
        with pytest.raises(WorkbenchError) as refused:
            call()
        assert refused.value.code == "context-exceeded"
        assert {str(length), str(engine.context_length)} <= set(re.findall(r"\d+", refused.value.message))
    assert answer(engine, request(Tokens(full[1:])))[0].completion_tokens == 1


def test_a_token_that_does_not_exist_is_refused(engine: Engine) -> None:
    for ids in ((1, 2, 49152), (-1,)):
        with pytest.raises(WorkbenchError) as refused:
            engine.open(request(Tokens(ids)))
        assert refused.value.code == "not-supported"


def test_log_probabilities_are_those_of_the_model(engine: Engine) -> None:
    sampling = Sampling(0.7, 0.9, 3, presence_penalty=1.0, logit_bias=((500, 5.0),))
    told = answer(engine, request("Tell me of the sea.", sampling=sampling, top_logprobs=5))[0]
    greedy = answer(engine, request("Tell me of the sea.", top_logprobs=5))[0]

    assert len(told.logprobs) == told.completion_tokens
    for token in told.logprobs:
        values = [other.logprob for other in token.top]
        assert values == sorted(values, reverse=True)
        assert len(values) == 5
        assert sum(math.exp(value) for value in values) <= 1 + 1e-5
        assert token.logprob <= values[0] + 1e-6
    # The choice was bent; what is told of the first place is not.
    assert [t.id for t in told.logprobs[0].top] == [t.id for t in greedy.logprobs[0].top]
    assert all(token.id == token.top[0].id for token in greedy.logprobs)
    assert greedy.logprobs[0].top[0].bytes.decode(errors="replace") in greedy.text


def test_all_probabilities_together_are_one(engine: Engine) -> None:
    told = answer(engine, request("Tell me.", max_tokens=1, top_logprobs=49152))[0]
    values = np.array([token.logprob for token in told.logprobs[0].top])

    assert len(values) == 49152
    assert np.isclose(np.exp(values).sum(), 1, atol=1e-4)


SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 8},
        "size": {"type": "integer", "minimum": 0, "maximum": 99},
    },
    "required": ["name", "size"],
    "additionalProperties": False,
}


@pytest.mark.parametrize("temperature", [0, 1.5])
def test_an_answer_keeps_to_its_schema(engine: Engine, temperature: float) -> None:
    constraint = Constraint("json-schema", json.dumps(SCHEMA))
    for seed in range(3):
        sampling = Sampling(temperature, 1, seed)
        made = answer(engine, request("As JSON:", sampling=sampling, constraint=constraint, max_tokens=200))[0]
        if made.finish_reason == "stop":
            value = json.loads(made.text)
            assert value.keys() == {"name", "size"}
            assert len(value["name"]) <= 8
            assert 0 <= value["size"] <= 99
        else:
            assert made.completion_tokens == 200


@pytest.mark.parametrize(
    ("kind", "text", "pattern"),
    [("regex", "(yes|no), [0-9]{2}", "(yes|no), [0-9]{2}"), ("lark", 'start: "a"~3 B\nB: "b" | "c"', "aaa[bc]")],
)
def test_an_answer_keeps_to_its_grammar(engine: Engine, kind: str, text: str, pattern: str) -> None:
    made = answer(engine, request("Well?", constraint=Constraint(kind, text), max_tokens=40))[0]  # type: ignore[arg-type]

    assert re.fullmatch(pattern, made.text)
    assert made.finish_reason == "stop"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("json-schema", '{"type": "nonsense"}'),
        ("json-schema", "{"),
        ("regex", "("),
        ("lark", "start: missing"),
    ],
)
def test_a_faulty_constraint_is_refused(engine: Engine, kind: str, text: str) -> None:
    with pytest.raises(WorkbenchError) as refused:
        engine.open(request("Well?", constraint=Constraint(kind, text)))  # type: ignore[arg-type]
    assert refused.value.code == "not-supported"
    assert answer(engine, request("Hello."))[0].text


def test_a_constraint_of_any_size_ends_soon(engine: Engine) -> None:
    for text in ("(((a{1000}){1000}){1000}){1000}", "(a|aa|aaa)*" * 50, "(a?){5000}a{5000}"):
        try:
            made = answer(engine, request("Well?", constraint=Constraint("regex", text), max_tokens=4))[0]
        except WorkbenchError as refused:
            assert refused.code == "not-supported"
        else:
            assert set(made.text) <= {"a"}


def test_a_conversation_is_rendered_by_the_template(engine: Engine) -> None:
    spoken = answer(engine, request(said("Hello."), top_logprobs=1))[0]
    rendered = (
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
        "<|im_start|>user\nHello.<|im_end|>\n<|im_start|>assistant\n"
    )
    written = answer(engine, request(Text(rendered), top_logprobs=1))[0]

    assert "chat" in engine.capabilities
    assert spoken.prompt_tokens == written.prompt_tokens
    assert spoken.ids == written.ids


def test_a_template_of_the_request_comes_first(engine: Engine) -> None:
    asked = replace(said("Hello."), template="{{ messages[0]['content'] }}")

    assert answer(engine, request(asked))[0].text == answer(engine, request(Text("Hello.")))[0].text


def test_E32_a_prompt_format_can_be_named(engine: Engine) -> None:
    written = "User: Hello.\nAssistant:"
    named = answer(engine, request(replace(said("Hello."), template="plain"), top_logprobs=1))[0]

    assert named.ids == answer(engine, request(Text(written), top_logprobs=1))[0].ids


def test_E32_what_the_system_says_is_folded_where_a_template_leaves_it_out(engine: Engine) -> None:
    messages = ({"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello."})
    for template in (
        "{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}",
        "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}{{ messages[0].content }}",
    ):
        folded = answer(engine, request(Conversation(messages, template=template), top_logprobs=1))[0]
        assert folded.ids == answer(engine, request(Text("Be brief.\n\nHello."), top_logprobs=1))[0].ids


def test_a_template_that_refuses_is_an_error_of_the_request(engine: Engine) -> None:
    asked = replace(said("Hello."), template="{{ raise_exception('speak in turns') }}")
    with pytest.raises(WorkbenchError, match="speak in turns") as refused:
        engine.open(request(asked))
    assert refused.value.code == "not-supported"


def test_a_model_that_cannot_fill_in_the_middle_says_so(engine: Engine) -> None:
    assert "infill" not in engine.capabilities
    with pytest.raises(WorkbenchError) as refused:
        engine.open(request(Infill("def f(", "return x")))
    assert refused.value.code == "not-supported"


def test_an_empty_prompt_is_answered(engine: Engine) -> None:
    assert answer(engine, request(""))[0].completion_tokens > 0


def test_I3_an_answer_that_is_given_up_frees_its_slot(engine: Engine) -> None:
    expected = answer(engine, request("Tell me."))[0].text
    for steps in range(4):
        given_up = [engine.open(request(LONG, max_tokens=50)) for _ in range(engine.slots)]
        for _ in range(steps):
            engine.step()
        for sequence in given_up:
            sequence.close()
        engine.step()

    assert [one.text for one in answer(engine, *[request("Tell me.")] * engine.slots)] == [expected] * engine.slots


def test_each_step_advances_every_open_answer(engine: Engine) -> None:
    sequences = [engine.open(request("Tell me.", max_tokens=20)) for _ in range(engine.slots)]
    while not all(sequence.completion_tokens for sequence in sequences):
        engine.step()
    before = [sequence.completion_tokens for sequence in sequences]
    engine.step()

    assert [sequence.completion_tokens for sequence in sequences] == [count + 1 for count in before]
    for sequence in sequences:
        sequence.close()


def test_a_long_prompt_does_not_hold_up_answers(engine: Engine) -> None:
    running = engine.open(request("Tell me.", max_tokens=30))
    while not running.completion_tokens:
        engine.step()
    long = engine.open(request(LONG + LONG, max_tokens=2))
    before, steps = running.completion_tokens, 0
    while not long.completion_tokens:
        engine.step()
        steps += 1

    assert steps > 2
    assert running.completion_tokens == before + steps
    for sequence in (running, long):
        sequence.close()


def test_embeddings_are_points_on_the_unit_sphere(engine: Engine) -> None:
    require_embeddings(engine)
    texts = ["The cat sat on the mat.", "A cat is sitting on a mat.", LONG, (500, 600, 700)]
    points = engine.embed(texts, ())

    assert [len(point.vector) for point in points] == [64] * 4
    for point in points:
        assert np.isclose(np.linalg.norm(point.vector), 1, atol=1e-5)
    assert points[3].tokens == 3
    assert np.allclose(engine.embed(texts[1:2], ())[0].vector, points[1].vector, atol=1e-5)


def test_embedding_does_not_disturb_an_open_answer(engine: Engine) -> None:
    require_embeddings(engine)
    expected = answer(engine, request("Tell me."))[0].text
    sequence = engine.open(request("Tell me."))
    running = Answer()
    while not running.text:
        engine.step()
        running.add(sequence)
    engine.embed(["Something else."], ())

    assert running.text + finish(engine, [sequence])[0].text == expected
    sequence.close()
