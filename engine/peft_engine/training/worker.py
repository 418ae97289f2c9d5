"""The worker: one process, one run, and a truthful end whatever happens. Light until data and base are known."""

import os
import sys
import traceback
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from peft_engine.backends.choose import backend_of
from peft_engine.datasets import LoadedDataset, load_dataset
from peft_engine.models import ResolvedBase, resolve_base
from peft_engine.models.materialise import Cancelled, materialise
from peft_engine.queue.schedule import Clock, Gate, Sensors, read_sensors, wall_clock
from peft_engine.rundir import RunDirectory
from peft_engine.rundir.checkpoints import Checkpoint
from peft_engine.rundir.lock import speaking_for
from peft_engine.rundir.presence import appear
from peft_engine.training.backends import open_backend
from peft_engine.training.control import Control, Interrupted
from peft_engine.training.distributed.follow import follow
from peft_engine.training.distributed.place import Place, this_place
from peft_engine.training.distributed.start import take_up, together
from peft_engine.training.endings import end_as_asked
from peft_engine.training.failures import describe
from peft_engine.training.going_on import complete_if_finished, find_start
from peft_engine.training.journal import Journal
from peft_engine.training.request import Request, read_request
from peft_engine.training.support import refuse_unsupported
from peft_engine.training.waiting import its_turn
from peft_engine.versions import claim_version
from peft_schemas.errors import ErrorReport, WorkbenchError


def work(path: Path, *, clock: Clock = wall_clock, sensors: Sensors = read_sensors) -> int:
    """Do the run that a launcher laid out in a directory, once it is its turn.

    Args:
        path: The run directory.
        clock: Tells the time to the run's schedule.
        sensors: Tell the machine's condition to the run's schedule.

    Returns:
        0 when the run completed or ended as somebody asked, 1 when it failed, `endings.REQUEUED` when this shall be
        called anew, in a fresh process; all are in the run's journal.
    """
    run, own = RunDirectory(path), this_place()
    if not own.leads:
        return follow(run, own, lambda journal, control: _train(run, read_request(run), journal, control, own))
    control = Control(run)
    control.listen()
    # Around the last word too: another run may begin at the moment in which this leaves its devices.
    with ExitStack() as held:
        with speaking_for(run):
            if own.by_hand:
                take_up(run)
            presence = appear(run)
            if presence is None or run.read_state().state != "queued":
                sys.stderr.write(f"Run {run.id} awaits no worker.\n")
                return 1
            held.enter_context(presence)
            journal = Journal(run)
            journal.arrive()
        try:
            request = read_request(run)
            refuse_unsupported(request.config)
            gate = Gate(request.config.schedule, clock=clock, sensors=sensors)
            # Who starts processes by hand, on several machines perhaps, was given the devices by somebody else's queue.
            if not own.by_hand:
                held.enter_context(its_turn(run, request.config.compute, journal, control, gate))
            journal.prepare()
            if not (journal.attempt > 1 and complete_if_finished(run, journal)):
                _train(run, request, journal, control, own)
        except (Interrupted, Cancelled):
            return end_as_asked(run, journal, control)
        except BaseException as error:
            try:
                journal.fail(describe(error))
            finally:
                # After the last word, which makes room: on a full disk a line for the log is one error more.
                traceback.print_exc()
            return 1
    # After the last word: only what completed has a version. On a full disk, whoever lists the runs next does it.
    with suppress(OSError):
        claim_version(run)
    return 0


def _train(run: RunDirectory, request: Request, journal: Journal, control: Control, place: Place) -> None:
    start = find_start(run, journal, request.config.checkpoint) if place.leads and journal.attempt > 1 else None
    journal.enter("preparing", "reading the data")
    datasets = [load_dataset(dataset, request.folder) for dataset in request.config.datasets]
    evaluation = [load_dataset(dataset, request.folder) for dataset in request.config.evaluation.datasets]
    control.check()
    base = _base(request, journal, control)
    # All that is needed is on this machine now: from here on no library may ask the network for anything.
    os.environ["HF_HUB_OFFLINE"] = "1"
    journal.enter("preparing", "loading the training libraries")
    processes = request.config.compute.processes
    starts_others = place.processes == 1 < processes
    with together(run, processes, partial(_give_up, journal)) if starts_others else nullcontext(place) as place:
        _compute(run, request, base, datasets, evaluation, journal, control, place, start)


def _compute(
    run: RunDirectory,
    request: Request,
    base: ResolvedBase,
    datasets: list[LoadedDataset],
    evaluation: list[LoadedDataset],
    journal: Journal,
    control: Control,
    place: Place,
    start: Checkpoint | None,
) -> None:
    choice = backend_of(run, request.config, base.hf_dir)
    # Processes that somebody else's launcher started would wait for one that left before it met them.
    with nullcontext() if place.by_hand else control.at_once():
        # Here and not above: torch takes seconds to import, and a wrong path should be told at once.
        try:
            # First, because what it changes of transformers must be changed before anything of transformers is used.
            backend = open_backend(choice)
            from peft_engine.training.session import Session
        except ImportError as error:
            raise WorkbenchError(
                "extra-missing",
                f"This Python ({sys.executable}) cannot train: {error}.",
                "Install the training extra: `pip install 'peft-workbench[train]'`.",
            ) from error
    Session(run, request, base, datasets, evaluation, backend, journal, control, place, start).fit()


def _give_up(journal: Journal, report: ErrorReport) -> None:
    journal.fail(report)
    os._exit(1)


def _base(request: Request, journal: Journal, control: Control) -> ResolvedBase:
    model = request.config.model
    resolved = resolve_base(model.base, model.revision, folder=request.folder)
    found = materialise(resolved, lambda doing: journal.enter("preparing", doing), control.requested)
    return replace(found, base=resolved.base)
