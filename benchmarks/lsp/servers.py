"""The two servers that are compared."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "schemas/json/config.json"
PEER = "yaml-language-server"
PEER_VERSION = "1.25.0"


@dataclass(frozen=True)
class Server:
    """How a server is started and what it is told when it asks for settings."""

    name: str
    command: tuple[str, ...]
    configuration: Callable[[str], Any]


def ours() -> Server:
    """Return `peftw lsp` of this checkout."""
    return Server("peftw", (str(Path(sys.executable).with_name("peftw")), "lsp"), lambda _: None)


def peer() -> Server:
    """Return yaml-language-server with our JSON Schema, after installing it outside the checkout.

    Raises:
        RuntimeError: Node.js is not here, or npm could not install it.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise RuntimeError("Node.js with npm is not installed.")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "peft-workbench"
    folder = Path(os.environ.get("PEFTW_CACHE") or cache) / f"{PEER}-{PEER_VERSION}"
    program = folder / "node_modules" / PEER / "bin" / PEER
    if not program.exists():
        command = [npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", f"{PEER}@{PEER_VERSION}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"npm could not install {PEER} {PEER_VERSION}: {done.stderr.strip().splitlines()[-1:]}")
    return Server(PEER, (node, str(program), "--stdio"), _settings)


def _settings(section: str) -> Any:
    if section != "yaml":
        return None
    return {
        "schemas": {SCHEMA.as_uri(): "*.peft.yaml"},
        "schemaStore": {"enable": False},
        "validate": True,
        "completion": True,
        "hover": True,
    }
