"""`peftw runs track`: send a tracker what it lacks of a run."""

from peft_daemon.cli.output import FAILURE, err, finish, out, print_json
from peft_daemon.cli.runs_words import Json, RunId
from peft_daemon.runs.judge import settle
from peft_daemon.tracking.connect import connect
from peft_daemon.tracking.send import send_missing
from peft_engine.rundir import find_run
from peft_engine.rundir.tracking import read_tracker
from peft_schemas.errors import WorkbenchError


def track(run_id: RunId, json: Json = False) -> None:
    """Send the tracker that a run's config names whatever it lacks; what it has is not sent again."""
    run = find_run(run_id)
    before = read_tracker(run)
    if before is None:
        raise WorkbenchError(
            "not-supported",
            f"Run {run.id} was begun without a tracker, or elsewhere.",
            "Name one under `tracker` in the config before a run.",
        )
    settle(run)
    sent = send_missing(run, connect)
    if json:
        print_json(sent or before)
    elif sent is None:
        out.print(f"{run.id}: another window or command is sending it now.", markup=False)
    elif sent.problem is not None:
        err.print(f"{run.id}: {sent.problem}", markup=False)
    elif sent.run is None:
        out.print(f"{run.id}: there is nothing to send yet.", markup=False)
    else:
        where = f"experiment {sent.experiment} at {sent.url}"
        out.print(f"{run.id}: run {sent.run} of {where} has everything.", markup=False)
    if sent is not None and sent.problem is not None:
        finish(FAILURE)
