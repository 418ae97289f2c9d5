from itertools import product

import pytest

from peft_engine.rundir.directory import now
from peft_engine.rundir.moves import illegal, move
from peft_schemas.errors import WorkbenchError
from peft_schemas.events import FINAL_STATES, LEGAL_MOVES, RunState, StateFile


def in_state(state: RunState) -> StateFile:
    return StateFile(
        run_id="demo-1",
        name="demo",
        state=state,
        pid=None,
        started=None,
        created=now(),
        updated="",
        base="org/base",
        config_path="/nowhere/demo.peft.yaml",
        step=3,
        total_steps=None,
    )


@pytest.mark.parametrize(("of", "to"), [pair for pair in product(LEGAL_MOVES, LEGAL_MOVES) if pair[0] != pair[1]])
def test_F8_only_legal_moves_are_made(of: RunState, to: RunState) -> None:
    if to in LEGAL_MOVES[of]:
        after = move(in_state(of), to, step=4)
        assert (after.state, after.step) == (to, 4)
        assert after.updated
    else:
        with pytest.raises(WorkbenchError, match=f"is {of}, so it cannot be") as refused:
            move(in_state(of), to)
        assert refused.value.code == "move-illegal"
        assert "peftw" in refused.value.remedy or "config again" in refused.value.remedy


def test_F8_what_completed_or_was_cancelled_stays_so_and_what_failed_only_goes_back_to_the_queue() -> None:
    assert {state: LEGAL_MOVES[state] for state in FINAL_STATES} == {
        "completed": frozenset(),
        "cancelled": frozenset(),
        "failed": {"queued"},
        "stopped": {"queued"},
    }


def test_a_refusal_says_what_was_asked_and_not_what_we_call_it() -> None:
    assert illegal(in_state("queued"), "queued").message == "Run demo-1 is queued, so it cannot be resumed."
    assert illegal(in_state("completed"), "paused").message == "Run demo-1 is completed, so it cannot be paused."
    assert "peftw runs clean demo-1" in illegal(in_state("stopped"), "cancelled").remedy


def test_another_detail_of_the_same_state_is_no_move() -> None:
    assert move(in_state("queued"), "queued", detail="waiting").detail == "waiting"
