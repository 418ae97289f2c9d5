"""The notice names whatever is installed with the product, so that no licence is passed on unread."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_notice_names_every_package_that_is_installed_with_ours() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [lines for name, lines in project["optional-dependencies"].items() if name != "dev"]
    names = {
        re.split(r"[\s\[<>=!~;]", line)[0].lower() for lines in [project["dependencies"], *extras] for line in lines
    }
    assert names - set(re.split(r"[\s,]+", (ROOT / "NOTICE").read_text(encoding="utf-8").lower())) == set()
