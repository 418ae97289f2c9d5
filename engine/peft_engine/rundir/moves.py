"""From one state of a run to the next, and to no other than those that are legal."""

from peft_engine.rundir.directory import now
from peft_schemas.errors import WorkbenchError
from peft_schemas.events import FINAL_STATES, LEGAL_MOVES, RunState, StateFile

_ASKED: dict[RunState, str] = {
    "queued": "be resumed",
    "paused": "be paused",
    "stopped": "be stopped",
    "cancelled": "be cancelled",
}
"""What a person asked for whom a move is refused. A worker alone asks for the other moves."""

_REMEDIES: dict[RunState, str] = {
    "completed": "Run its config again for a new run.",
    "cancelled": "Run its config again for a new run.",
    "failed": "Resume it with `peftw runs resume {id}`, or run its config again.",
    "stopped": "Resume it with `peftw runs resume {id}`, or run its config again.",
    "paused": "Resume it with `peftw runs resume {id}`.",
}
_REMEDY = "Look at it with `peftw runs show {id}`, and wait until it rests or has ended."


def move(state: StateFile, to: RunState, **changes: object) -> StateFile:
    """Return the state file of a run that enters a state; staying in one is no move and always legal.

    Args:
        state: As it is.
        to: The state to enter.
        **changes: Further fields of `StateFile`.

    Raises:
        WorkbenchError: No such move exists (`move-illegal`).
    """
    if to != state.state and to not in LEGAL_MOVES[state.state]:
        raise illegal(state, to)
    return state.model_copy(update={**changes, "state": to, "updated": now()})


def illegal(state: StateFile, to: RunState) -> WorkbenchError:
    """Return the error that says why a run cannot enter a state."""
    remedy = _REMEDIES.get(state.state, _REMEDY)
    if to == "cancelled" and state.state in FINAL_STATES:
        # Who gives up what has ended wants its space, and no other run of it.
        remedy = "It has ended already; `peftw runs clean {id}` removes what is left of it."
    return WorkbenchError(
        "move-illegal",
        f"Run {state.run_id} is {state.state}, so it cannot {_ASKED.get(to, f'become {to}')}.",
        remedy.format(id=state.run_id),
    )
