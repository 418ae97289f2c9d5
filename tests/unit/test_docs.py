"""What the pages say can be followed: their links lead somewhere, their commands exist, their configs are configs."""

import json
import re
import shlex
import textwrap
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from typer.main import get_command

from peft_daemon.cli.app import app
from peft_daemon.language.check import check_text
from peft_engine.config.schema import language
from peft_engine.settings import Settings
from peft_schemas.config import RunConfig
from peft_schemas.errors import ErrorCode

ROOT = Path(__file__).parents[2]
FOLDERS = (".github", "benchmarks", "docs", "examples", "tests")
PAGES = [
    *ROOT.glob("*.md"),
    *(page for name in FOLDERS for page in (ROOT / name).rglob("*.md") if page.parent.name != "findings"),
    ROOT / "extension/README.md",
    ROOT / "extension/test/workbench/README.md",
]
SHOWN = re.compile(r"^ *```(\w+)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    return [text for name, text in SHOWN.findall(page.read_text(encoding="utf-8")) if name == language]


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_link_between_pages_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith("http"):
            continue
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def commands() -> list[str]:
    """Return what stands behind a prompt, and what is named in a sentence: `peftw runs pause|resume ID`."""
    shown = [line for page in PAGES for block in blocks(page, "console") for line in block.splitlines()]
    behind = [line.removeprefix("$ ") for line in shown if line.startswith("$ peftw")]
    # The changelog may name what there is no more.
    pages = [page.read_text(encoding="utf-8") for page in PAGES if page.name != "CHANGELOG.md"]
    named = [" ".join(name.split()) for page in pages for name in re.findall(r"(?<!`)`(peftw [^`]+)`(?!`)", page)]
    return sorted({*behind, *(re.sub(r"[\[\]\\']", "", name) for name in named)})


@pytest.mark.parametrize("line", commands())
def test_each_command_that_is_shown_is_one(line: str) -> None:
    command: Any = get_command(app)
    words = shlex.split(line, comments=True)[1:]
    while words and words[0].partition("|")[0] in getattr(command, "commands", {}):
        names = words.pop(0).split("|")
        assert set(names) <= command.commands.keys()
        command = command.commands[names[0]]
    assert getattr(command, "invoke_without_command", True) or words in ([], ["--help"])
    known = {option for param in command.params for option in param.opts}
    assert {word.partition("=")[0] for word in words if word.startswith("-")} <= known | {"--help", "--debug"}


def test_each_how_to_is_found_from_the_list() -> None:
    folder = ROOT / "docs/how-to"
    listed = set(re.findall(r"\]\(([\w-]+\.md)", (folder / "README.md").read_text(encoding="utf-8")))
    assert {page.name for page in folder.glob("*.md")} - {"README.md"} <= listed


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_config_that_is_shown_is_one(page: Path) -> None:
    for text in blocks(page, "yaml"):
        if text.lstrip().startswith("version: 1"):
            assert [finding.message for finding in check_text(text) if finding.severity == "error"] == []


def named(pattern: str) -> set[str]:
    """Return what the pages name, but for the changelog, which may name what there is no more."""
    return {
        name
        for page in PAGES
        if page.name != "CHANGELOG.md"
        for name in re.findall(pattern, " ".join(page.read_text(encoding="utf-8").split()))
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_part_of_a_config_or_of_the_settings_that_is_shown_is_one(page: Path) -> None:
    for text in blocks(page, "yaml"):
        shown = yaml.safe_load(textwrap.dedent(text))
        # What has a list there is a config of another program.
        keys = set(shown) if isinstance(shown, dict) and not isinstance(shown.get("models"), list) else set()
        if keys and keys <= Settings.model_fields.keys():
            Settings.model_validate(shown)
        elif keys and keys <= language().keys.keys() - {"version"}:
            needed = {"version": 1, "model": {"base": "org/model"}, "datasets": [{"path": "org/data"}]}
            RunConfig.model_validate({**needed, **shown})


def test_each_command_and_setting_of_the_editor_that_is_named_is_one() -> None:
    contributes = json.loads((ROOT / "extension/package.json").read_text(encoding="utf-8"))["contributes"]
    titles = {f"{command.get('category')}: {command['title']}" for command in contributes["commands"]}
    ids = {command["command"] for command in contributes["commands"]} | contributes["configuration"][
        "properties"
    ].keys()
    shown = named(r"(?:\*|`)(PEFT: [^*`…]+?) ?…?(?:\*|`)")
    assert {title for title in shown if not any(known.startswith(title) for known in titles)} == set()
    assert named(r"`(peft\.[a-z]\w*(?:\.\w+)*)`") <= ids


def test_each_target_of_make_that_is_named_is_one() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert named(r"`make ([a-z-]+)") | named(r"\$ make ([a-z-]+)") <= targets


def test_each_file_that_is_named_is_there() -> None:
    places = named(r"`((?:tests|benchmarks|profiles|engine|daemon|schemas|tools|docs|extension)/[\w./-]+)`")
    made = {"extension/test-results/workbench/"}  # by the tests of the editor
    assert {place for place in places - made if not (ROOT / place).exists()} == set()


def test_each_error_says_on_a_page_what_to_do() -> None:
    page = (ROOT / "docs/how-to/troubleshooting.md").read_text(encoding="utf-8")
    assert [code for code in get_args(ErrorCode) if f"`{code}`" not in page] == []
