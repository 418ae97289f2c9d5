"""What serves editors, hooks and CI that are not ours: the schema, the pre-commit hook."""

import json
import re
from pathlib import Path

import yaml

from tests.e2e.conftest import CONFIG, Peftw

ROOT = Path(__file__).parents[2]


def test_the_schema_command_prints_the_published_schema(peftw: Peftw) -> None:
    published = ROOT / "schemas/json/config.json"
    assert json.loads(peftw("schema").stdout) == json.loads(published.read_text(encoding="utf-8"))


def test_the_pre_commit_hook_checks_configs_as_git_hands_them_over(peftw: Peftw, config: Path) -> None:
    hook = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))[0]
    taken = [bool(re.search(hook["files"], name)) for name in ("a/x.peft.yaml", "x.peft.yml", "x.yaml")]
    assert taken == [True, True, False]
    command, *arguments = hook["entry"].split()
    assert command == "peftw"
    assert peftw(*arguments, config).returncode == 0
    config.write_text(CONFIG.replace("max_steps", "max_step"))
    answer = peftw(*arguments, config)
    assert answer.returncode == 1
    assert "PW101" in answer.stdout
