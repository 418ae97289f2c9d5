"""Starting a run: check the file, make its directory, put it into the queue with a worker that outlives us."""

import errno
import fcntl
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from peft_daemon.language.check import CheckedFile, check_file
from peft_daemon.language.wording import counted
from peft_daemon.runs.judge import settle
from peft_daemon.runs.worker import start_worker
from peft_engine.config.resolve import ResolvedConfig
from peft_engine.home import runs_dir
from peft_engine.models import resolve_base
from peft_engine.queue.line import enqueue
from peft_engine.rundir import RunDirectory, create_run_directory, list_runs
from peft_engine.rundir.lay_out import lay_out as lay_out_files
from peft_engine.rundir.moves import move
from peft_schemas.errors import WorkbenchError
from peft_schemas.events import FINAL_STATES

_BY_HAND = "laid out, to be started by torchrun"


class ConfigRefused(WorkbenchError):
    """The config has findings of error severity, so nothing was started."""

    def __init__(self, path: Path, checked: CheckedFile) -> None:
        count = sum(finding.severity == "error" for finding in checked.findings)
        super().__init__(
            "config-invalid",
            f"{path.name} has {counted(count, 'error')}, so no run was started.",
            f"Correct what `peftw check {path}` shows and run it again.",
        )
        self.checked = checked


def launch(path: Path, *, python: str = sys.executable) -> RunDirectory:
    """Put the run that a config file describes into the queue, where it starts at once if its device is free.

    Args:
        path: The `.peft.yaml`; its content on disk is what runs.
        python: The interpreter that trains.

    Returns:
        The directory of the new run, whose worker has been started.

    Raises:
        ConfigRefused: The file has errors.
        WorkbenchError: The file or its base model is missing, a run of this very config is active, or the disk is
            full. No directory is left.
    """
    return _make(path, python, lambda run: start_worker(run, python))


def lay_out(path: Path, *, python: str = sys.executable) -> RunDirectory:
    """Make the directory of a run that rests until somebody starts its processes by hand, on several machines.

    Args:
        path: The `.peft.yaml`.
        python: The interpreter that will train.

    Raises:
        WorkbenchError: As `launch`.
    """
    return _make(path, python, lambda run: run.write_state(move(run.read_state(), "paused", detail=_BY_HAND)))


def _make(path: Path, python: str, begin: Callable[[RunDirectory], object]) -> RunDirectory:
    checked = check_file(path, python=python)
    if checked.resolved is None:
        raise ConfigRefused(path, checked)
    model = checked.resolved.config.model
    if python == sys.executable:
        # Another interpreter may carry models in packages that this one cannot see; there the worker looks alone.
        resolve_base(model.base, model.revision, folder=path.absolute().parent)
    name = str(checked.resolved.config.name)
    with _only_launcher_of(name):
        _refuse_twin(name, checked.resolved)
        run = create_run_directory(name)
        try:
            _fill(run, checked.text, checked.resolved, path)
            begin(run)
        except OSError as error:
            shutil.rmtree(run.path, ignore_errors=True)
            raise WorkbenchError(
                "disk-full" if error.errno == errno.ENOSPC else "internal",
                f"The run directory {run.path} could not be written: {error.strerror}.",
                "Free some space or set PEFTW_HOME to another disk, and run it again.",
            ) from error
    return run


def _fill(run: RunDirectory, text: str, resolved: ResolvedConfig, path: Path) -> None:
    run.source.write_text(text, encoding="utf-8")
    explained = resolved.report().model_dump(mode="json")["values"]
    enqueue(run, lay_out_files(run, resolved.config, path, explained=explained))


def _refuse_twin(name: str, resolved: ResolvedConfig) -> None:
    """Refuse a config of which a run waits, computes or is paused: a second would come to the very same result.

    Runs of one name whose configs differ in anything may wait behind each other.
    """
    config = resolved.config.model_dump(mode="json")
    for other in list_runs():
        if other.id.rpartition("-")[0] != name or _config_of(other) != config:
            continue
        state = settle(other).state
        if state == "paused":
            raise WorkbenchError(
                "run-active",
                f"Run {other.id} of this very config is paused.",
                f"Go on with it by `peftw runs resume {other.id}`, or give it up by `peftw runs cancel {other.id}`.",
            )
        if state not in FINAL_STATES:
            raise WorkbenchError(
                "run-active",
                f"Run {other.id} of this very config is {state} already.",
                f"Stop it with `peftw runs stop {other.id}`, or change the config first.",
            )


def _config_of(run: RunDirectory) -> object:
    """Return the effective config of a run, None when it cannot be read."""
    try:
        return json.loads(run.resolved.read_bytes())["config"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


@contextmanager
def _only_launcher_of(name: str) -> Iterator[None]:
    """Hold off other launchers of the same name, in any window, until ours has a directory with a state."""
    runs_dir().mkdir(parents=True, exist_ok=True)
    with (runs_dir() / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
