from pathlib import Path

import pytest

from peft_engine.settings import read_settings
from peft_schemas.errors import WorkbenchError


def test_without_a_file_everything_has_its_default(home: Path) -> None:
    assert read_settings().slots == {}


def test_slots_are_read(home: Path) -> None:
    (home / "settings.yaml").write_text("slots: {cpu: 2}\n")
    assert read_settings().slots == {"cpu": 2}


def test_what_models_and_kept_prompts_may_take_is_a_share_or_an_amount(home: Path) -> None:
    total = 10 * 10**9
    assert read_settings().serving.kept_bytes(total) == 500_000_000
    (home / "settings.yaml").write_text("serving: {memory: 50%, kept_prompts: 1.5 GB}\n")
    assert read_settings().serving.memory_bytes(total) == 5 * 10**9
    assert read_settings().serving.kept_bytes(total) == 1_500_000_000
    (home / "settings.yaml").write_text("serving: {kept_prompts: 0%}\n")
    assert read_settings().serving.kept_bytes(total) == 0


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("slots: {cpu: 0}", "slots.cpu"),
        ("slots: {tpu: 1}", "slots.tpu"),
        ("slot: {}", "slot: there is no such key"),
        ("serving: {memory: lots}", "serving.memory: it is no amount of memory such as 60%, 8 GB or 900 MB"),
        ("- 1", "the whole file"),
        ("slots: [", "line"),
        ("\x00", "character"),
    ],
)
def test_what_is_wrong_in_the_file_is_named_with_its_key(home: Path, text: str, named: str) -> None:
    (home / "settings.yaml").write_text(text)
    with pytest.raises(WorkbenchError, match=named) as refused:
        read_settings()
    assert refused.value.code == "config-invalid"
    assert "settings.yaml" in refused.value.message
