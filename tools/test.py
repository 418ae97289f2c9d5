"""Runs the layers of the test pyramid in order and closes with one table: `make test [LAYERS="unit lsp"]`.

A layer whose requirements are absent is reported as skipped with the reason; it is never counted as passed.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NODE = (20, 0)
MOST_WORKERS = 4
"""Files of tests at the same time: each may hold a model of half a gigabyte."""

GIST = 2000
"""Characters of a failure that the closing table repeats."""

NOT_POSSIBLE = 3
"""Exit code of the install scripts when something that they may not install is missing."""


class CannotPrepare(Exception):
    """What a layer needs may be had here, and yet could not be made: a failure, not a reason to skip."""


@dataclass(frozen=True)
class Layer:
    """One level of tests."""

    name: str
    command: list[str]
    """`{report}` stands for the JUnit file to write."""

    folder: Path = ROOT
    require: Callable[[], str | None] = lambda: None
    """Installs what is needed; returns the reason when that is not possible here."""


@dataclass
class Outcome:
    """What became of a layer."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    reasons: list[str] = field(default_factory=list)
    seconds: float = 0.0


def pytest(folder: str, *, side_by_side: bool = True) -> list[str]:
    """Return the command of a pytest layer.

    Args:
        folder: Of the tests.
        side_by_side: Whether files of tests are run at the same time, one a core.
    """
    workers = ["-n", str(min(os.cpu_count() or 1, MOST_WORKERS)), "--dist", "loadfile"] if side_by_side else []
    return [sys.executable, "-m", "pytest", "-q", folder, *workers, "--junitxml={report}"]


def node() -> str | None:
    """Make the extension's packages available."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return "Node.js is not installed: install Node.js 20 or newer with npm"
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip("v\n")
    if tuple(int(part) for part in version.split(".")[:2]) < NODE:
        return f"Node.js {version} is too old: install Node.js 20 or newer"
    if _run(["make", "extension/node_modules"]) != 0:
        raise CannotPrepare("the extension's packages could not be installed, see above")
    return None


def neovim() -> None:
    """Make Neovim available where that is possible; its test skips itself with the reason where it is not."""
    _run(["tools/install-system.sh", "neovim"])


def unsloth() -> None:
    """Make the environment of Unsloth where that is possible; its tests skip themselves with the reason elsewhere."""
    _run(["tools/unsloth-env.sh"])


def editor() -> str | None:
    """Make a real VS Code workbench and a browser available."""
    reason = node()
    if reason:
        return reason
    system = _run(["tools/install-system.sh"])
    if system == NOT_POSSIBLE:
        return "system packages are missing: see what tools/install-system.sh asks for, above"
    if system != 0:
        raise CannotPrepare("tools/install-system.sh failed, see above")
    installed = _run(EDITOR_INSTALL)
    if installed == NOT_POSSIBLE:
        return "the editor cannot run here, see above"
    if installed != 0:
        raise CannotPrepare("the editor could not be installed, see above")
    if _run(["npm", "run", "--silent", "package"], EXTENSION) != 0:
        raise CannotPrepare("the extension could not be packaged, see above")
    return None


EDITOR_INSTALL = ["node", "extension/test/workbench/install.mjs"]
EXTENSION = ROOT / "extension"
LAYERS = (
    Layer("unit", pytest("tests/unit")),
    Layer("property", pytest("tests/property")),
    Layer("lsp", pytest("tests/lsp")),
    Layer("integration", pytest("tests/integration"), require=unsloth),
    # These measure, and start whole systems.
    Layer("e2e", pytest("tests/e2e", side_by_side=False), require=neovim),
    Layer("extension", ["npm", "run", "--silent", "test", "--", "--report={report}"], EXTENSION, node),
    Layer("host", ["npm", "run", "--silent", "test:host", "--", "--report={report}"], EXTENSION, editor),
    Layer("workbench", ["npm", "run", "--silent", "test:workbench", "--", "--report={report}"], EXTENSION, editor),
)


def run_layer(layer: Layer, reports: Path) -> Outcome:
    """Run one layer and read its report."""
    begin = time.monotonic()
    print(f"\n\033[1m── {layer.name}\033[0m", flush=True)
    try:
        reason = layer.require()
    except CannotPrepare as error:
        return Outcome(failed=1, reasons=[str(error)], seconds=time.monotonic() - begin)
    if reason:
        print(f"skipped: {reason}")
        return Outcome(skipped=1, reasons=[reason], seconds=time.monotonic() - begin)
    report = reports / f"{layer.name}.xml"
    code = _run([part.format(report=report) for part in layer.command], layer.folder)
    outcome = read_report(report)
    if code != 0 and outcome.failed == 0:
        # A runner that broke before or after its tests has failed, whatever it counted.
        outcome.failed = 1
        outcome.reasons.append(f"the runner ended with exit code {code}")
    elif outcome.passed + outcome.failed + outcome.skipped == 0:
        outcome.failed = 1
        outcome.reasons.append("no test ran")
    outcome.seconds = time.monotonic() - begin
    return outcome


def read_report(report: Path) -> Outcome:
    """Count the cases of a JUnit file."""
    outcome = Outcome()
    if not report.exists():
        return outcome
    for case in ElementTree.parse(report).iter("testcase"):
        skipped = case.find("skipped")
        fault = case.find("failure") if case.find("failure") is not None else case.find("error")
        if fault is not None:
            outcome.failed += 1
            # Said once more at the end, which is what remains of a long log.
            outcome.reasons.append(f"{case.get('name')} failed: {_gist(fault)}")
        elif skipped is not None:
            outcome.skipped += 1
            outcome.reasons.append(f"{case.get('name')}: {skipped.get('message') or 'no reason given'}")
        else:
            outcome.passed += 1
    return outcome


def _gist(fault: ElementTree.Element) -> str:
    text = (fault.text or fault.get("message") or "no reason given").strip()
    # pytest says what is wrong at the end, Playwright at the beginning.
    return text if len(text) <= GIST else f"{text[: GIST // 2]}\n[…]\n{text[-GIST // 2 :]}"


def _run(command: list[str], folder: Path = ROOT) -> int:
    return subprocess.run(command, cwd=folder, env={**os.environ, "PYTHONUNBUFFERED": "1"}).returncode


def main() -> int:
    """Run the chosen layers, or all, and print the table."""
    wanted = sys.argv[1:] or [layer.name for layer in LAYERS]
    unknown = set(wanted) - {layer.name for layer in LAYERS}
    if unknown:
        print(f"There is no layer {', '.join(sorted(unknown))}. Layers: {', '.join(layer.name for layer in LAYERS)}.")
        return 2
    outcomes: dict[str, Outcome] = {}
    with tempfile.TemporaryDirectory(prefix="peftw-reports-") as reports:
        for layer in LAYERS:
            if layer.name in wanted:
                outcomes[layer.name] = run_layer(layer, Path(reports))
    print(f"\n{'layer':<12} {'passed':>7} {'failed':>7} {'skipped':>8} {'seconds':>8}")
    for name, outcome in outcomes.items():
        print(f"{name:<12} {outcome.passed:>7} {outcome.failed:>7} {outcome.skipped:>8} {outcome.seconds:>8.0f}")
    for name, outcome in outcomes.items():
        for reason in outcome.reasons:
            print(f"  {name}: {reason}")
    total = [sum(getattr(outcome, key) for outcome in outcomes.values()) for key in ("passed", "failed", "skipped")]
    print(f"\n{total[0]} passed, {total[1]} failed, {total[2]} skipped")
    return 1 if total[1] else 0


if __name__ == "__main__":
    sys.exit(main())
