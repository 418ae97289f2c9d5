"""Hovers: what a key means, what it comes to, and what stands behind its value."""

import pytest

from peft_daemon.language.binding import bind
from peft_daemon.language.choices import choice_meaning
from peft_daemon.language.context import NOTHING_KNOWN, CheckContext, DatasetFact
from peft_daemon.language.features.hover import hover
from peft_daemon.language.rules.subject import Subject
from peft_engine.config.document import parse
from peft_engine.config.schema import walk
from peft_engine.config.text import SourceText
from tests.property.strategies import to_yaml
from tests.unit.language.test_figures import MODEL

BASE = "version: 1\nmodel:\n  base: org/m\ndatasets:\n  - path: a.jsonl\n"
WORLD = CheckContext(
    model=MODEL,
    datasets={"a.jsonl": DatasetFact(1234, "text", ("text", "id"), duplicates=3, tokens_p50=80, tokens_p99=900)},
    presets={"mine": {"training": {"seed": 3}}},
    preset_names=("mine",),
)


def shown(text: str, at: str, context: CheckContext = NOTHING_KNOWN) -> str:
    """The hover on the first character of a text that stands once."""
    document = parse(SourceText(text))
    found = hover(Subject(document, bind(document), context), text.index(at))
    return "" if found is None else found["contents"]["value"]


def test_B6_a_hover_says_the_value_in_effect_and_what_it_would_be_left_out() -> None:
    text = f"{BASE}profile: summarization\nmethod:\n  r: 64\ntraining: {{seed: 42, batch_size: 3}}\n"
    assert "Effective value: `64` (written here). Left out, it would be `16`, from the profile summarization." in (
        shown(text, "r: 64")
    )
    assert "Left out" not in shown(text, "seed")
    assert "it would be `2`, from the profile summarization" in shown(text, "batch_size")


def test_B6_a_section_shows_all_its_values_with_their_origins() -> None:
    text = f"{BASE}profile: summarization\nmethod:\n  r: 64\n"
    table = shown(text, "method:")
    assert "| `r` | `64` | you |" in table
    assert "| `dropout` | `0.05` | profile |" in table
    assert "| `modules_to_save` | `[]` | default |" in table
    assert "| `r` | ? | |" in shown(f"{BASE}method: {{r: many}}\n", "method")


@pytest.mark.parametrize(
    ("at", "text", "expected"),
    [
        ("summ", f"{BASE}profile: summarization\n", "Release notes from commits"),
        ("summ", f"{BASE}profile: summarization\n", "- `evaluation`: split: 0.1, every_steps: 50"),
        ("full", f"{BASE}template: full_finetuning\n", "learning_rate: 1.0e-5"),
        ("mine", f"{BASE}preset: mine\n", "- `training`: seed: 3"),
        ("org/m", BASE, "1,000 parameters; context length 2,048 tokens"),
        ("Hugging", BASE.replace("org/m", "HuggingFaceTB/SmolLM2-135M-Instruct"), "licence Apache-2.0"),
        ("a.jsonl", BASE, "In this file: 1,234 records; text; columns `text`, `id`; 3 of them repeated"),
        ("a.jsonl", BASE, "half of them up to 80 tokens, 99 % up to 900"),
        ("qlora", f"{BASE}method: {{type: qlora}}\n", "an adapter on a base packed into 4 bits"),
        ("q_proj", f"{BASE}method: {{target_modules: [q_proj]}}\n", "method.target_modules"),
    ],
)
def test_a_hover_on_a_value_shows_what_stands_behind_it(at: str, text: str, expected: str) -> None:
    assert expected in shown(text, at, WORLD)


def test_S8_the_words_of_the_trade_are_explained_below() -> None:
    text = shown(f"{BASE}training: {{learning_rate: 1.0e-4}}\n", "learning_rate")
    body, _, terms = text.partition("\n---\n")
    assert "- *optimizer*: The rule that turns gradients" in terms
    assert "- *" not in body


@pytest.mark.parametrize(("path", "key"), list(walk()), ids=[path for path, _ in walk()])
def test_A12_every_key_has_a_hover_with_its_meaning_range_and_default(path: str, key) -> None:
    value = "x" if key.section is None else [{"zzz": 1}] if key.is_list else {"zzz": 1}
    for part in reversed(path.split(".")):
        value = {part.removesuffix("[]"): [value] if part.endswith("[]") else value}
    text = to_yaml(value)
    found = shown(text, key.name)
    assert key.description in found
    if key.section is None:
        assert "required" in found or "default" in found
    for words in filter(None, [str(key.bounds)]):
        assert words in found


def test_A12_each_listed_value_has_a_few_words_of_its_own() -> None:
    listed = {(path, choice) for path, key in walk() for choice in key.choices}
    named = {path for path, _ in listed if path not in ("profile", "template") and "evaluation.datasets" not in path}
    for path, choice in listed:
        if path in named:
            assert choice_meaning(path, choice), f"{path}: {choice}"
    assert choice_meaning("method.type", "none") is None


def test_nothing_is_shown_where_no_key_stands() -> None:
    assert shown(f"{BASE}# comment\n", "comment") == ""
    assert shown(f"{BASE}zzz: 1\n", "zzz") == ""
