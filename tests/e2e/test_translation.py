"""`peftw import` and `peftw export` as scripts use them: exit codes, shapes, and files that are not replaced."""

import json
from pathlib import Path

import pytest

from tests.e2e.conftest import Peftw

AXOLOTL = "base_model: org/model\nadapter: lora\nlora_target_linear: true\nmicro_batch_size: 2\nfsdp: [full_shard]\n"
DATA = "datasets:\n  - path: org/data\n    type: alpaca\n"


@pytest.fixture
def axolotl(tmp_path: Path) -> Path:
    path = tmp_path / "qlora.yml"
    path.write_text(AXOLOTL + DATA)
    return path


def test_an_import_prints_the_config_and_says_beside_it_what_is_not_the_same(peftw: Peftw, axolotl: Path) -> None:
    done = peftw("import", "axolotl", axolotl)
    assert done.returncode == 0
    assert done.stdout.startswith("version: 1\nmodel:\n  base: org/model\n")
    assert "qlora.yml:5:1: warning IM02" in done.stderr


def test_the_json_has_the_config_and_the_findings_with_their_places(peftw: Peftw, axolotl: Path) -> None:
    report = json.loads(peftw("import", "axolotl", axolotl, "--json").stdout)
    assert set(report) == {"config", "findings"}
    assert report["config"].startswith("version: 1\n")
    start = {"line": 4, "character": 0}
    assert {"start": start, "end": {"line": 4, "character": 4}} in [found["range"] for found in report["findings"]]


def test_an_existing_file_is_replaced_only_when_told_to(peftw: Peftw, axolotl: Path, tmp_path: Path) -> None:
    output = tmp_path / "desk.peft.yaml"
    output.write_text("mine")
    assert peftw("import", "axolotl", axolotl, "-o", output).returncode == 2
    assert output.read_text() == "mine"
    assert peftw("import", "axolotl", axolotl, "-o", output, "--force").returncode == 0
    assert output.read_text().startswith("version: 1\n")


def test_B24_nothing_is_written_for_a_file_that_is_refused(peftw: Peftw, tmp_path: Path) -> None:
    (tmp_path / "evil.yml").write_text("base_model: !!python/object/apply:os.system [id]\n" + DATA)
    output = tmp_path / "evil.peft.yaml"
    done = peftw("import", "axolotl", "evil.yml", "-o", output, "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["config"] == ""
    assert not output.exists()


def test_a_result_that_has_to_be_filled_in_ends_with_1(peftw: Peftw, tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(AXOLOTL)
    assert peftw("import", "axolotl", "a.yml").returncode == 1


def test_an_unknown_tool_or_a_missing_file_is_wrong_usage(peftw: Peftw, axolotl: Path) -> None:
    assert peftw("import", "ludwig", axolotl).returncode == 2
    assert peftw("import", "axolotl", "nothing.yml").returncode == 2


def test_json_with_tabs_is_read(peftw: Peftw, tmp_path: Path) -> None:
    config = {"model_name_or_path": "org/model", "dataset_name": "org/data"}
    (tmp_path / "sft.json").write_text(json.dumps(config, indent="\t"))
    assert "  base: org/model\n" in peftw("import", "trl", "sft.json").stdout


def test_an_export_comes_back_as_it_was(peftw: Peftw, axolotl: Path, tmp_path: Path) -> None:
    peftw("import", "axolotl", axolotl, "-o", "first.peft.yaml")
    assert peftw("export", "axolotl", "first.peft.yaml", "-o", "second.yml").returncode == 0
    peftw("import", "axolotl", "second.yml", "-o", "first2.peft.yaml")
    first, second = (
        json.loads(peftw("explain", name, "--json").stdout) for name in ("first.peft.yaml", "first2.peft.yaml")
    )
    values = [
        {value["path"]: value["value"] for value in report["values"] if value["path"] != "name"}
        for report in (first, second)
    ]
    assert values[0] == values[1]


def test_json_is_the_same_config_again(peftw: Peftw, axolotl: Path, tmp_path: Path) -> None:
    peftw("import", "axolotl", axolotl, "-o", "first.peft.yaml")
    peftw("export", "json", "first.peft.yaml", "-o", "again.peft.yaml")
    assert json.loads((tmp_path / "again.peft.yaml").read_text())["model"]["base"] == "org/model"
    assert peftw("export", "json", "again.peft.yaml").stdout == (tmp_path / "again.peft.yaml").read_text()


def test_a_file_that_is_no_config_is_not_exported(peftw: Peftw, tmp_path: Path) -> None:
    (tmp_path / "bad.peft.yaml").write_text("version: 1\nmodel: {}\n")
    done = peftw("export", "trl", "bad.peft.yaml", "-o", "out.yaml")
    assert done.returncode == 1
    assert not (tmp_path / "out.yaml").exists()
