"""`peftw check` and `peftw explain`: exit codes and what they print."""

import json
from pathlib import Path

import pytest

from peft_daemon.cli import check, explain
from peft_daemon.cli.output import FAILURE, OK, USAGE

GOOD = (
    "version: 1\nprofile: summarization\nmodel:\n  base: org/m\ndatasets:\n  - path: train.jsonl\ntraining: {seed: 7}\n"
)
BAD = GOOD + "method: # 😀\n  r: 0 # 😀\nname: 'é😀 x'\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    for data in ("train.jsonl", "sub/train.jsonl"):
        # Enough for a run that no rule wonders about.
        records = [json.dumps({"prompt": f"What is {n}?", "completion": "A number."}) for n in range(400)]
        (tmp_path / data).write_text("\n".join(records))
    (tmp_path / "node_modules").mkdir()
    for name, text in {
        "good.peft.yaml": GOOD,
        "sub/bad.peft.yaml": BAD,
        "other.yaml": BAD,
        "node_modules/x.peft.yaml": BAD,
    }.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def run_check(capsys: pytest.CaptureFixture[str], *paths: str, format: check.Format = "text") -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        check.command([Path(path) for path in paths], format)
    return int(ended.value.code or 0), capsys.readouterr().out


def test_a_clean_file_exits_with_0(folder: Path, capsys) -> None:
    code, printed = run_check(capsys, "good.peft.yaml")
    assert (code, printed) == (OK, "1 file checked: no findings.\n")


def test_findings_are_shown_with_line_mark_and_fix(folder: Path, capsys) -> None:
    code, printed = run_check(capsys, "sub/bad.peft.yaml")
    assert code == FAILURE
    assert "sub/bad.peft.yaml:9:6: error PW103 `r` must be at least 1 and at most 1024; 0 is not." in printed
    assert "    9 |   r: 0 # 😀\n             ^\n" in printed
    assert "fix: Set to 1" in printed
    # The emoji takes two columns, and so does its mark.
    assert "   10 | name: 'é😀 x'\n              ^^^^^^^\n" in printed
    assert printed.endswith("1 file checked: 2 errors.\n")


def test_an_error_that_nothing_can_repair_says_what_to_do(folder: Path, capsys) -> None:
    (folder / "regex.peft.yaml").write_text(GOOD + "method:\n  target_modules: 'q_proj('\n")
    code, printed = run_check(capsys, "regex.peft.yaml")
    assert code == FAILURE
    assert "PW310 `q_proj(` is not a regular expression" in printed
    assert "        do: Correct the expression, or write a list of module names.\n" in printed


def test_a_folder_is_searched_for_configs(folder: Path, capsys) -> None:
    code, printed = run_check(capsys, ".", format="json")
    report = json.loads(printed)
    assert code == FAILURE
    assert {finding["path"] for finding in report["findings"]} == {"sub/bad.peft.yaml"}
    assert report["summary"] == {"error": 2, "warning": 0, "information": 0, "hint": 0}
    finding = report["findings"][1]
    assert finding["code"] == "PW109"
    assert finding["range"] == {"start": {"line": 9, "character": 6}, "end": {"line": 9, "character": 13}}
    assert finding["fixes"][0]["edits"][0]["newText"] == "x"


@pytest.mark.parametrize("path", ["absent.peft.yaml", "node_modules/..absent"])
def test_a_path_that_is_not_there_is_wrong_usage(folder: Path, capsys, path: str) -> None:
    assert run_check(capsys, path)[0] == USAGE


def test_a_folder_without_configs_is_wrong_usage(folder: Path, capsys) -> None:
    (folder / "empty").mkdir()
    assert run_check(capsys, "empty")[0] == USAGE


def test_sarif_counts_from_1_and_carries_rules_and_fixes(folder: Path, capsys) -> None:
    _, printed = run_check(capsys, "sub/bad.peft.yaml", format="sarif")
    log = json.loads(printed)
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    known = {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    assert {result["ruleId"] for result in run["results"]} <= known
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "sub/bad.peft.yaml"
    assert place["region"] == {"startLine": 9, "startColumn": 6, "endLine": 9, "endColumn": 7}
    assert run["results"][0]["fixes"][0]["artifactChanges"][0]["replacements"][0]["insertedContent"]["text"] == "16"


def test_github_annotations_are_one_line_each(folder: Path, capsys) -> None:
    _, printed = run_check(capsys, "sub/bad.peft.yaml", format="github")
    first, second = printed.splitlines()
    assert first.startswith("::error file=sub/bad.peft.yaml,line=9,endLine=9,col=6,endColumn=7,title=PW103::")
    assert second.startswith("::error ")


def test_explain_says_where_each_value_comes_from(folder: Path, capsys) -> None:
    explain.command(Path("good.peft.yaml"), as_json=True)
    values = {value["path"]: value for value in json.loads(capsys.readouterr().out)["values"]}
    assert (values["training.seed"]["value"], values["training.seed"]["origin"]) == (7, "user")
    assert (values["method.r"]["value"], values["method.r"]["origin"]) == (16, "profile")
    assert values["method.r"]["reason"] == "From the profile summarization."
    assert values["name"]["origin"] == "computed"
    explain.command(Path("good.peft.yaml"), as_json=False)
    printed = capsys.readouterr().out
    assert "training.gradient_accumulation_steps" in printed
    assert "profile summarization" in printed


def test_explain_of_a_faulty_config_shows_the_findings_and_fails(folder: Path, capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        explain.command(Path("sub/bad.peft.yaml"), as_json=True)
    printed = capsys.readouterr()
    assert ended.value.code == FAILURE
    assert printed.out == ""
    assert "PW103" in printed.err
