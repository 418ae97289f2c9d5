"""Foreign files as their own tools read them, and what is refused before anything is translated."""

import pytest

from peft_engine.config.document import MAX_LENGTH
from peft_engine.config.foreign.translate import import_config
from tests.unit.config.foreign.reading import marked, said, translated

AXOLOTL = "base_model: org/model\ndatasets:\n  - path: org/data\n    type: alpaca\n"
LLAMAFACTORY = "model_name_or_path: org/model\ndataset: desk\n"


@pytest.mark.parametrize(
    ("written", "raw", "path", "value"),
    [
        ("learning_rate: 1e-4\n", "1e-4", "training.learning_rate", 1e-4),
        ("sample_packing: yes\n", "yes", "training.packing", True),
        ("seed: 014\n", "014", "training.seed", 12),
        ("seed: 1_000\n", "1_000", "training.seed", 1000),
        ("seed: 0o14\n", "0o14", "training.seed", 12),
        ("max_steps: 1:30\n", "1:30", "training.max_steps", 90),
    ],
)
def test_a_scalar_that_yaml_1_1_reads_otherwise_is_said_at_its_place(
    written: str, raw: str, path: str, value: object
) -> None:
    assert [place for place, _ in said("axolotl", AXOLOTL + written, "IM07")] == [raw]
    assert translated("axolotl", AXOLOTL + written)[path] == value


def test_omegaconf_reads_a_number_without_a_dot_as_one() -> None:
    assert said("llamafactory", LLAMAFACTORY + "learning_rate: 2e-5\n", "IM07") == []


def test_a_text_that_spells_a_number_is_taken_as_one() -> None:
    assert translated("axolotl", AXOLOTL + "learning_rate: '2e-5'\n")["training.learning_rate"] == 2e-5


def test_an_empty_value_asks_for_nothing() -> None:
    text = AXOLOTL + "adapter:\nlora_r:\nlora_dropout:\nmax_steps:\n"
    found = translated("axolotl", text)
    assert found["method.type"] == "full"
    assert not {"method.r", "method.dropout", "training.max_steps"} & set(found)


def test_values_that_an_anchor_brings_are_carried_over() -> None:
    text = "base_model: &m org/model\ndatasets:\n  - path: org/data\n    type: alpaca\nrevision_of_model: *m\n"
    assert translated("axolotl", text)["model.revision"] == "org/model"


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("base_model: !!python/object/apply:os.system [id]\n", "!!python/object/apply:os.system"),
        ("base_model: [org\n", None),
        ("- base_model: org/model\n", "- base_model: org/model"),
        ("just a sentence\n", "just a sentence"),
        ("apiVersion: v1\nkind: Pod\n", "apiVersion"),
        ("", ""),
        ("base_model: " + "x" * MAX_LENGTH, None),
        ("base_model: a\n---\nbase_model: b\n", "---"),
    ],
    ids=["tag", "broken", "list", "text", "other", "empty", "oversize", "two documents"],
)
def test_B24_what_is_no_config_of_the_tool_is_refused_at_its_place(text: str, at: str | None) -> None:
    refused = import_config("axolotl", text)
    assert (refused.config, refused.is_usable) == ("", False)
    assert all(finding.code == "IM01" and finding.severity == "error" for finding in refused.findings)
    if at is not None:
        assert marked(text, refused.findings[0]) == at


def test_B24_aliases_that_explode_are_refused() -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]" for old, new in zip("abcdefg", "bcdefgh", strict=True)]
    refused = import_config("axolotl", "\n".join(["base_model: org/model", *lines, ""]))
    assert refused.config == ""
