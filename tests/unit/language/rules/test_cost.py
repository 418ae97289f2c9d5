"""Numbers against the bounds of the profiles."""

import os
import shutil
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest
from pydantic import ValidationError

from peft_daemon.language.context import CheckContext
from peft_engine.bounds import Limit, bounds
from peft_engine.facts import DatasetFact
from tests.unit.language.rules.marked import BASE, Case, findings

A4 = [
    ("learning_rate", "9.0e-7", "error"),
    ("learning_rate", "1.0e-6", None),
    ("learning_rate", "1.1e-6", None),
    ("learning_rate", "9.9e-4", None),
    ("learning_rate", "1.0e-3", None),
    ("learning_rate", "1.1e-3", "warning"),
    ("learning_rate", "9.9e-3", "warning"),
    ("learning_rate", "1.0e-2", "warning"),
    ("learning_rate", "1.1e-2", "error"),
    ("batch_size", "1", "hint"),
    ("batch_size", "2", None),
    ("batch_size", "3", "hint"),
    ("batch_size", "4", None),
    ("batch_size", "8", None),
    ("batch_size", "16", None),
    ("batch_size", "17", "hint"),
    ("batch_size", "127", "hint"),
    ("batch_size", "128", "hint"),
    ("batch_size", "129", "error"),
    ("num_epochs", "0.9", "error"),
    ("num_epochs", "1", None),
    ("num_epochs", "2", None),
    ("num_epochs", "9", None),
    ("num_epochs", "10", None),
    ("num_epochs", "11", "warning"),
    ("num_epochs", "99", "warning"),
    ("num_epochs", "100", "warning"),
    ("num_epochs", "101", "error"),
]


@pytest.mark.parametrize(("name", "value", "severity"), A4)
def test_A4_bounds_are_judged_below_at_and_above(name: str, value: str, severity: str | None) -> None:
    text = f"{BASE}training:\n  optimizer: sgd\n  {name}: {value}\n"
    found = [finding for finding in findings(text) if finding.code in ("PW501", "PW502", "PW503")]
    assert [finding.severity for finding in found] == ([severity] if severity else [])
    for finding in found:
        assert finding.range.start.line == 7
        assert [fix.edits[0].newText != value for fix in finding.fixes] == [True]


def test_A4_the_bounds_file_decides_and_not_the_code(tmp_path: Path) -> None:
    copy = tmp_path / "peft_profiles"
    shutil.copytree(Path(str(resources.files("peft_profiles").joinpath("bounds.yaml"))).parent, copy)
    text = (copy / "bounds.yaml").read_text()
    assert "most: 128" in text
    (copy / "bounds.yaml").write_text(text.replace("most: 128", "most: 12").replace("[2, 4, 8, 16]", "[2, 3]"))
    config = tmp_path / "x.peft.yaml"
    config.write_text(f"{BASE}training:\n  batch_size: 16\n")
    script = "import sys; from peft_daemon.language.check import check_text as c; print(*c(open(sys.argv[1]).read()))"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", script, str(config)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, timeout=120).stdout
    assert "code='PW502' severity='error'" in printed
    assert "between 1 and 12" in printed
    assert findings(config.read_text()) == []


def test_A17_bounds_that_contradict_themselves_are_refused() -> None:
    with pytest.raises(ValidationError, match="between least and most"):
        Limit(least=1, most=4, advised=[8])
    with pytest.raises(ValidationError, match="between least and most"):
        Limit(least=5, most=4)
    assert set(bounds().limits) == {"training.learning_rate", "training.batch_size", "training.num_epochs"}


def lengths(p50: int | None, p99: int | None) -> CheckContext:
    return CheckContext(datasets={"org/d": DatasetFact(100, "text", ("text",), tokens_p50=p50, tokens_p99=p99)})


CASES = [
    Case("PW501", "a flow mapping", f"{BASE}training: {{learning_rate: «0.5»}}\n"),
    Case("PW502", "a flow mapping", f"{BASE}training: {{batch_size: «129»}}\n"),
    Case("PW503", "a flow mapping", f"{BASE}training: {{num_epochs: «101»}}\n"),
    Case("PW501", "what the schema refuses already", f"{BASE}training: {{learning_rate: 1.5}}\n"),
    Case("PW502", "what the schema refuses already", f"{BASE}training: {{batch_size: 5000}}\n"),
    Case("PW503", "what the schema refuses already", f"{BASE}training: {{num_epochs: 5000}}\n"),
    Case("PW504", "full", f"{BASE}method: {{type: full}}\ntraining: {{learning_rate: «6.0e-5»}}\n", related="full"),
    Case("PW504", "full at the bound", f"{BASE}method: {{type: full}}\ntraining: {{learning_rate: 5.0e-5}}\n"),
    Case("PW504", "full by default", f"{BASE}method: {{type: full}}\n"),
    Case("PW504", "adapter", f"{BASE}training: {{learning_rate: «1.9e-5»}}\n"),
    Case("PW504", "adapter at the bound", f"{BASE}training: {{learning_rate: 2.0e-5}}\n"),
    Case("PW504", "another optimizer", f"{BASE}training: {{learning_rate: 1.9e-5, optimizer: sgd}}\n"),
    Case("PW504", "an error already", f"{BASE}method: {{type: full}}\ntraining: {{learning_rate: 0.5}}\n"),
    Case("PW505", "far too long", f"{BASE}training: {{max_length: «1201», packing: true}}\n", lengths(100, 300)),
    Case("PW505", "four times", f"{BASE}training: {{max_length: 1200, packing: true}}\n", lengths(100, 300)),
    Case("PW505", "by default", BASE, lengths(10, 20)),
    Case("PW505", "tokens not counted", f"{BASE}training: {{max_length: 8000, packing: true}}\n", lengths(None, None)),
    Case("PW612", "more than half cut", f"{BASE}training: {{max_length: «999»}}\n", lengths(1000, 5000)),
    Case("PW612", "half", f"{BASE}training: {{max_length: 1000}}\n", lengths(1000, 5000)),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_numbers_that_are_seldom_wise_are_found(case: Case) -> None:
    case.holds()
