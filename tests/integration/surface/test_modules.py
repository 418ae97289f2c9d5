"""Every module of ours can be imported: none waits with its fault until it is first needed."""

import subprocess
import sys

_IMPORT = """
import importlib, pkgutil, sys
from peft_schemas.errors import WorkbenchError

for package in ("peft_schemas", "peft_engine", "peft_daemon"):
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, package + "."):
        try:
            importlib.import_module(module.name)
        except WorkbenchError as error:
            # What cannot run here says so when it is imported.
            assert error.code == "not-supported", error
"""


def test_I19_every_module_is_imported() -> None:
    subprocess.run([sys.executable, "-c", _IMPORT], check=True, timeout=300)
