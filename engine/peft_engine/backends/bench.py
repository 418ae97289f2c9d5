"""Measuring what each backend makes of a config, by short runs of the very worker that trains."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from statistics import median

from peft_engine.backends.choose import CHOICE_FILE, training_device
from peft_engine.backends.facts import backend_facts
from peft_engine.home import home, models_dir
from peft_engine.rundir import EventTail, RunDirectory
from peft_engine.rundir.directory import now
from peft_engine.rundir.lay_out import lay_out
from peft_schemas.bench import BackendChoice, BackendMeasurement, BackendName, BackendRun, MeasuredBackend
from peft_schemas.config import CheckpointConfig, EvaluationConfig, ExportConfig, RunConfig, ScheduleConfig
from peft_schemas.errors import ErrorReport, WorkbenchError
from peft_schemas.events import AnyEvent, CompletedEvent, FailedEvent, MetricEvent, PlanEvent

BACKENDS: tuple[BackendName, ...] = ("transformers", "unsloth")


def measure(
    config: RunConfig, source: Path, *, python: str, progress: Callable[[str], None] = lambda _: None
) -> BackendMeasurement:
    """Run a config's first steps with every backend, in turn, each time in a fresh process.

    Nothing of these runs is kept, and they are not listed among the user's.

    Args:
        config: What to train. Its data, model and loop are taken, and nothing that only costs time.
        source: The config file; paths in it are relative to its folder.
        python: The interpreter that trains.
        progress: Told what is being done, for people.

    Raises:
        WorkbenchError: The config cannot be trained with transformers, for the reason that is given.
    """
    facts = backend_facts().bench
    runs: dict[BackendName, list[BackendRun]] = {backend: [] for backend in BACKENDS}
    errors: dict[BackendName, ErrorReport] = {}
    choice: BackendChoice | None = None
    with tempfile.TemporaryDirectory(prefix="peftw-bench-") as folder:
        state = _state_folder(Path(folder))
        for turn in range(facts.runs):
            for backend in BACKENDS:
                if backend in errors:
                    continue
                progress(f"run {turn + 1} of {facts.runs} with {backend}")
                run = _lay_out(state / "runs" / f"{backend}-{turn + 1}", _shortened(config, backend), source)
                peak = _train(run, state, python)
                events = EventTail(run.events).read()
                error = _error(events)
                if error is None:
                    runs[backend].append(_figures(events, peak))
                elif backend == "transformers":
                    raise WorkbenchError(error.code, error.message, error.remedy)
                else:
                    errors[backend] = error
                if choice is None:
                    choice = BackendChoice.model_validate_json((run.path / CHOICE_FILE).read_bytes())
    if choice is None:
        raise ValueError("no run was asked for")
    return BackendMeasurement(
        time=now(),
        base=config.model.base,
        architecture=choice.architecture,
        device=choice.device,
        device_kind=training_device(config.compute)[0],
        method=config.method.type,
        quantization=config.model.quantization,
        versions=choice.versions,
        steps=facts.steps,
        backends=[
            MeasuredBackend(backend=backend, runs=runs[backend], error=errors.get(backend)) for backend in BACKENDS
        ],
        speed_ratio=_ratio(runs, lambda run: run.tokens_per_second),
        memory_ratio=_ratio(runs, lambda run: run.peak_memory_bytes),
    )


def _state_folder(folder: Path) -> Path:
    """Return a state folder of its own, in which the models of this machine are found."""
    models_dir().mkdir(parents=True, exist_ok=True)
    (folder / "models").symlink_to(models_dir())
    settings = home() / "settings.yaml"
    if settings.exists():
        (folder / "settings.yaml").symlink_to(settings)
    return folder


def _shortened(config: RunConfig, backend: BackendName) -> RunConfig:
    """Return the config with a few steps, and with nothing that is not training."""
    training = {"max_steps": backend_facts().bench.steps, "early_stopping_patience": None, "logging_steps": 1}
    return config.model_copy(
        update={
            "compute": config.compute.model_copy(update={"backend": backend}),
            "training": config.training.model_copy(update=training),
            "evaluation": EvaluationConfig(),
            "checkpoint": CheckpointConfig(every_steps=backend_facts().bench.steps),
            "schedule": ScheduleConfig(),
            "export": ExportConfig(),
        }
    )


def _lay_out(path: Path, config: RunConfig, source: Path) -> RunDirectory:
    path.mkdir(parents=True)
    run = RunDirectory(path)
    run.write_state(lay_out(run, config, source))
    return run


def _train(run: RunDirectory, state: Path, python: str) -> int:
    """Have a worker do the run, and return the bytes of memory that it had at most."""
    with run.log.open("wb") as log:
        worker = subprocess.Popen(
            [python, "-m", "peft_engine.training", str(run.path)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, "PEFTW_HOME": str(state)},
        )
    try:
        _, status, used = os.wait4(worker.pid, 0)
    except BaseException:
        worker.kill()
        worker.wait()
        raise
    worker.returncode = os.waitstatus_to_exitcode(status)
    # In KiB but on macOS.
    return used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _error(events: list[AnyEvent]) -> ErrorReport | None:
    """Return why a run was not completed."""
    last = events[-1] if events else None
    if isinstance(last, CompletedEvent):
        return None
    # A fault of ours points at the worker's log, which is not kept.
    if isinstance(last, FailedEvent) and last.error.code != "internal":
        return last.error
    return ErrorReport(
        code="worker-killed",
        message="The worker of a measured run broke off.",
        remedy="Run the config with `peftw run` and look at its worker.log.",
    )


def _figures(events: list[AnyEvent], process_peak: int) -> BackendRun:
    metrics = [event.values for event in events if isinstance(event, MetricEvent)]
    tokens, seconds = 0.0, 0.0
    for before, after in pairwise(metrics[backend_facts().bench.skipped_steps - 1 :]):
        count = _number(after, "tokens") - _number(before, "tokens")
        tokens += count
        seconds += count / _number(after, "tokens_per_second")
    on_gpu = any(isinstance(event, PlanEvent) and event.device.startswith("cuda") for event in events)
    return BackendRun(
        tokens_per_second=tokens / seconds,
        peak_memory_bytes=int(max(_number(each, "memory_bytes") for each in metrics)) if on_gpu else process_peak,
        loss=_number(metrics[-1], "loss"),
    )


def _number(values: Mapping[str, float | None], name: str) -> float:
    """Return a measurement of a step.

    Raises:
        WorkbenchError: It was no finite number (`diverged`).
    """
    number = values.get(name)
    if number is None:
        raise WorkbenchError(
            "diverged",
            f"In a measured run the {name.replace('_', ' ')} was no number, so nothing can be said of the backends.",
            "Lower `training.learning_rate`, and measure again.",
        )
    return number


def _ratio(runs: dict[BackendName, list[BackendRun]], figure: Callable[[BackendRun], float]) -> float | None:
    """Return the second backend's figure over the first one's, each the median of its runs."""
    if not all(runs[backend] for backend in BACKENDS):
        return None
    plain, other = (median(figure(run) for run in runs[backend]) for backend in BACKENDS)
    return other / plain
