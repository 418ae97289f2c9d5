"""Profiles, templates and their precedence (B1, B2, B5, B6)."""

from pathlib import Path
from typing import get_args

import pytest

from peft_engine.config.resolve import clean_name, resolve, run_name
from peft_engine.profiles import load_profile, load_template
from peft_schemas.config import ProfileName, TemplateName

BASE = {"version": 1, "model": {"base": "org/m"}, "datasets": [{"path": "org/d"}]}
SOURCE = Path("demo.peft.yaml")


def test_B1_there_are_exactly_these_six_profiles() -> None:
    shipped = {path.stem for path in (Path(__file__).parents[3] / "profiles/peft_profiles/profiles").glob("*.yaml")}
    assert shipped == set(get_args(ProfileName))
    titles = {load_profile(name).title for name in get_args(ProfileName)}
    assert titles == {
        "Chatbot", "Code Generation", "Summarization", "Q&A", "Creative Writing", "Domain Adaptation",
    }  # fmt: skip


@pytest.mark.parametrize("name", get_args(ProfileName))
def test_B2_a_profile_has_no_empty_field_and_gives_a_valid_config(name: ProfileName) -> None:
    profile = load_profile(name)
    assert profile.title and profile.description and profile.icon
    assert len(profile.use_cases) >= 3 and all(profile.use_cases)
    assert profile.hardware.minimum_memory_gb > 0
    assert {"r", "alpha", "dropout"} <= set(profile.values["method"])
    assert "learning_rate" in profile.values["training"]
    resolved = resolve({**BASE, "profile": name}, source=SOURCE)
    for section, values in profile.values.items():
        for key, value in values.items():
            explained = resolved.explain(f"{section}.{key}")
            assert explained is not None
            assert (explained.value, explained.origin) == (value, "profile")


def test_B5_the_templates_hold_exactly_these_values() -> None:
    assert set(get_args(TemplateName)) == {"lora_finetuning", "full_finetuning"}
    lora = resolve({**BASE, "template": "lora_finetuning"}, source=SOURCE).config
    assert (lora.training.learning_rate, lora.training.num_epochs, lora.training.batch_size) == (2e-4, 3, 4)
    assert (lora.method.r, lora.method.alpha, lora.method.dropout) == (8, 16, 0.05)
    full = resolve({**BASE, "template": "full_finetuning"}, source=SOURCE).config
    assert (full.training.learning_rate, full.training.num_epochs, full.training.batch_size) == (1e-5, 1, 2)
    assert (full.training.gradient_accumulation_steps, full.method.type) == (4, "full")
    assert load_template("lora_finetuning").title


def test_B6_a_method_has_the_learning_rate_and_the_strength_that_suit_it() -> None:
    full = resolve({**BASE, "method": {"type": "full"}}, source=SOURCE).explain("training.learning_rate")
    assert full is not None and (full.value, full.origin) == (1e-5, "computed")
    assert full.reason == "Training every weight takes smaller steps than an adapter."
    stabilised = resolve({**BASE, "method": {"type": "rslora", "r": 64}}, source=SOURCE).explain("method.alpha")
    assert stabilised is not None and (stabilised.value, stabilised.origin) == (16, "computed")
    chosen = {**BASE, "method": {"type": "rslora", "alpha": 5}, "template": "full_finetuning"}
    assert resolve(chosen, source=SOURCE).config.method.alpha == 5
    plain = resolve(BASE, source=SOURCE).explain("method.alpha")
    assert plain is not None and plain.origin == "default"


def test_B6_what_is_written_in_one_of_two_ways_is_not_said_again_by_a_profile_in_the_other() -> None:
    data = {
        **BASE,
        "profile": "chatbot",
        "training": {"warmup_ratio": 0.1},
        "evaluation": {"datasets": [{"path": "b"}]},
    }
    config = resolve(data, source=SOURCE).config
    assert (config.training.warmup_ratio, config.training.warmup_steps) == (0.1, 0)
    assert (len(config.evaluation.datasets), config.evaluation.split) == (1, 0)
    assert config.evaluation.every_steps == load_profile("chatbot").values["evaluation"]["every_steps"]


def test_B6_user_outranks_template_outranks_profile_outranks_default() -> None:
    data = {**BASE, "template": "lora_finetuning", "profile": "chatbot", "training": {"batch_size": 9}}
    resolved = resolve(data, source=SOURCE)
    origins = {value.path: value.origin for value in resolved.explained}
    assert origins["training.batch_size"] == "user"
    assert origins["method.r"] == "template"
    assert origins["training.max_length"] == "profile"
    assert origins["training.seed"] == "default"
    assert origins["name"] == "computed"


@pytest.mark.parametrize(
    ("file", "name"),
    [("Release notes.peft.yaml", "Release-notes"), ("x.yml", "x"), ("ä.peft.yaml", "run"), ("..peft.yaml", "run")],
)
def test_a_run_takes_a_valid_name_from_its_file(file: str, name: str) -> None:
    assert run_name(Path(file)) == name


def test_names_are_cleaned() -> None:
    assert clean_name(" my run! ") == "my-run"
    assert clean_name("!!!") == ""
    assert len(clean_name("x" * 100)) == 64
