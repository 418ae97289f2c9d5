"""Presets: which file a name means, and what its file may hold."""

from pathlib import Path

import pytest

from peft_daemon.language.check import check_file
from peft_engine.config.presets import load_preset, preset_names, preset_path
from peft_schemas.errors import WorkbenchError


def test_a_preset_beside_the_config_comes_before_one_of_the_library(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("PEFTW_HOME", str(tmp_path / "home"))
    places = [tmp_path / "configs/presets", tmp_path / "home/presets"]
    for place in places:
        place.mkdir(parents=True)
        (place / "careful.yaml").write_text("values: {}\n")
    assert preset_path("careful", tmp_path / "configs") == places[0] / "careful.yaml"
    assert preset_path("careful", tmp_path / "elsewhere") == places[1] / "careful.yaml"


def test_what_has_a_preset_s_name_and_is_no_file_is_no_preset(tmp_path: Path) -> None:
    presets = tmp_path / "presets"
    (presets / "folder.yaml").mkdir(parents=True)
    (presets / "gone.yaml").symlink_to(presets / "nowhere.yaml")
    (presets / "there.yaml").write_text("values: {}\n")
    assert preset_names(tmp_path) == ("there",)
    config = tmp_path / "run.peft.yaml"
    for name in ("folder", "gone"):
        config.write_text(f"version: 1\npreset: {name}\nmodel: {{base: org/m}}\ndatasets: [{{path: org/d}}]\n")
        assert [found.code for found in check_file(config).findings if found.severity == "error"] == ["PW113"]


def test_a_preset_brings_its_values(tmp_path: Path) -> None:
    path = tmp_path / "careful.yaml"
    path.write_text("title: Careful\nvalues:\n  model: {quantization: nf4}\n  evaluation: {every_steps: 0.1}\n")
    assert load_preset(path).values == {"model": {"quantization": "nf4"}, "evaluation": {"every_steps": 0.1}}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("values: [\n", "The bracket `[` is not closed."),
        ("- 1\n", "It is no mapping with `values`."),
        ("title: Careful\n", "`values` is missing."),
        ("values: 3\n", "`values` has a value that it cannot have."),
        ("values:\n  training: {batch_siz: 3}\n", "`training.batch_siz` is no key of the config language."),
        ("values:\n  trainin: {batch_size: 3}\n", "`trainin` is no key of the config language."),
        ("values:\n  training: {batch_size: -3}\n", "`training.batch_size` has a value that it cannot have."),
        ("values:\n  evaluation: {every_steps: often}\n", "`evaluation.every_steps` has a value that it cannot have."),
    ],
)
def test_a_file_that_is_no_preset_is_told_with_the_reason(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "careful.yaml"
    path.write_text(text)
    with pytest.raises(WorkbenchError) as refused:
        load_preset(path)
    assert refused.value.code == "config-invalid"
    assert refused.value.message == f"The preset careful cannot be used. {reason}"
    assert str(path) in refused.value.remedy
