"""The arithmetic behind lenses, hints and `peftw estimate`, checked against the code that trains."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peft_daemon.language.binding import bind
from peft_daemon.language.context import NOTHING_KNOWN, CheckContext, DatasetFact, ModelFact
from peft_daemon.language.figures import estimate
from peft_daemon.language.rules.subject import Subject
from peft_engine.config.document import parse
from peft_engine.config.text import SourceText
from peft_engine.datasets import Text, mix, split_off
from peft_schemas.estimate import EstimateReport, Figure
from tests.property.strategies import examples

BASE = "version: 1\nmodel:\n  base: org/m\ndatasets:\n  - path: a.jsonl\n"

MODEL = ModelFact(
    name="org/m",
    context_length=2048,
    modules=("model.embed_tokens", "model.layers.0.self_attn.q_proj", "model.layers.0.mlp.down_proj", "lm_head"),
    shapes={
        "model.embed_tokens": (100, 8),
        "model.layers.0.self_attn.q_proj": (8, 8),
        "model.layers.0.mlp.down_proj": (8, 32),
        "lm_head": (100, 8),
    },
    linear=frozenset({"q_proj", "down_proj"}),
    parameters=1000,
)


def records(count: int, duplicates: int = 0) -> DatasetFact:
    return DatasetFact(records=count, format="text", columns=("text",), duplicates=duplicates)


def report(text: str, context: CheckContext = NOTHING_KNOWN) -> EstimateReport:
    document = parse(SourceText(text))
    return estimate(Subject(document, bind(document), context))


def figures(text: str, context: CheckContext = NOTHING_KNOWN) -> dict[str, Figure]:
    return {figure.name: figure for figure in report(text, context).figures}


def value(text: str, name: str, context: CheckContext = NOTHING_KNOWN) -> int:
    return figures(text, context)[name].value


def test_the_effective_batch_counts_what_a_profile_brings() -> None:
    assert value(BASE, "effective_batch") == 4
    assert value(f"{BASE}profile: summarization\n", "effective_batch") == 16
    figure = figures(f"{BASE}profile: summarization\ntraining: {{batch_size: 3}}\n")["effective_batch"]
    assert (figure.value, figure.formula) == (24, "3 × 8 (batch_size × gradient_accumulation_steps)")


def test_what_is_not_known_is_left_out_with_its_reason() -> None:
    found = report(BASE)
    assert {figure.name for figure in found.figures} == {"effective_batch", "tokens_per_step"}
    reasons = {unknown.name: unknown.reason for unknown in found.unknown}
    assert reasons["steps"] == "The records of `a.jsonl` have not been counted."
    assert reasons["trainable_parameters"] == "The base model's own files have not been read."
    assert found.not_estimated == ["time", "memory"]


@pytest.mark.parametrize("broken", ["batch_size: 0", "batch_size: many", "batch_size:", "batch_siz: 8"])
def test_a_faulty_or_misspelt_value_is_no_number(broken: str) -> None:
    assert "effective_batch" not in figures(f"{BASE}training:\n  {broken}\n")


def test_max_steps_is_the_number_of_steps_whatever_the_data() -> None:
    assert value(f"{BASE}training: {{max_steps: 7, num_epochs: 2}}\n", "steps") == 7


@examples(60)
@given(
    count=st.integers(1, 60),
    share=st.sampled_from([0.0, 0.01, 0.1, 0.5, 0.9]),
    weight=st.sampled_from([1.0, 0.5, 2.0, 2.5]),
    copies=st.integers(0, 5),
)
def test_the_examples_are_those_that_the_training_would_take(
    count: int, share: float, weight: float, copies: int
) -> None:
    distinct = [Text(str(index)) for index in range(count)]
    data = [*distinct, *distinct[:copies]]
    expected = len(mix([(split_off(data, share, 42).train, weight)], 42))
    text = f"{BASE}    weight: {weight}\nevaluation: {{split: {share}}}\n"
    context = CheckContext(datasets={"a.jsonl": records(len(data), len(data) - count)})
    figure = figures(text, context)["examples"]
    if figure.is_upper_bound:
        assert expected <= figure.value
    else:
        assert expected == figure.value


def test_steps_round_up_passes_and_epochs_as_the_trainer_does() -> None:
    context = CheckContext(datasets={"a.jsonl": records(101)})
    text = f"{BASE}training: {{batch_size: 4, gradient_accumulation_steps: 3, num_epochs: 1.5}}\n"
    passes = math.ceil(101 / 4)
    assert value(text, "steps", context) == math.ceil(1.5 * math.ceil(passes / 3))
    assert not figures(text, context)["steps"].is_upper_bound
    packed = text.replace("batch_size", "packing: true, batch_size")
    assert figures(packed, context)["steps"].is_upper_bound


def test_evaluation_data_of_its_own_holds_nothing_out() -> None:
    context = CheckContext(datasets={"a.jsonl": records(100)})
    assert value(f"{BASE}evaluation: {{split: 0.1}}\n", "examples", context) == 90
    own = f"{BASE}evaluation: {{split: 0.1, datasets: [{{path: b.jsonl}}]}}\n"
    assert value(own, "examples", context) == 100


def test_tokens_a_step_end_at_the_models_context() -> None:
    text = f"{BASE}training: {{max_length: 4096}}\n"
    assert value(text, "tokens_per_step") == 4 * 4096
    assert value(text, "tokens_per_step", CheckContext(model=MODEL)) == 4 * 2048


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("type: lora, r: 4", 4 * (8 + 8) + 4 * (8 + 32)),
        ("type: dora, r: 4", 4 * (8 + 8) + 8 + 4 * (8 + 32) + 8),
        ("r: 2, target_modules: [q_proj]", 2 * (8 + 8)),
        ("r: 2, target_modules: '.*_proj'", 2 * (8 + 8) + 2 * (8 + 32)),
        ("r: 2, target_modules: [q_proj], modules_to_save: [lm_head]", 2 * (8 + 8) + 800),
        ("type: full", 1000),
    ],
)
def test_trainable_parameters_are_counted_from_the_shapes_of_the_base(method: str, expected: int) -> None:
    assert value(f"{BASE}method: {{{method}}}\n", "trainable_parameters", CheckContext(model=MODEL)) == expected


@pytest.mark.parametrize("targets", ["[nowhere]", "'['", "[q_proj], modules_to_save: [norm]"])
def test_targets_that_the_base_does_not_have_give_no_number(targets: str) -> None:
    found = figures(f"{BASE}method: {{target_modules: {targets}}}\n", CheckContext(model=MODEL))
    assert "trainable_parameters" not in found
