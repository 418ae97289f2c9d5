"""Row F8: places in the line, natural ones and those that people gave."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peft_engine.queue.places import Places, place_after, place_before
from peft_engine.rundir.directory import written
from peft_schemas.events import StateFile
from tests.property.strategies import examples

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MOVES = st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), max_size=30)
PRIORITIES = st.lists(st.integers(-2, 2), min_size=2, max_size=6)


def queued(run_id: str, priority: int = 0, after: float = 0.0) -> StateFile:
    """Return the state of a run that was queued so many milliseconds after noon."""
    moment = written(NOON + timedelta(milliseconds=after))
    return StateFile(
        run_id=run_id,
        name="demo",
        state="queued",
        pid=None,
        started=None,
        created=moment,
        updated=moment,
        queued=moment,
        base="org/base",
        config_path="/x",
        step=0,
        total_steps=None,
        priority=priority,
    )


@examples(50)
@given(priorities=PRIORITIES, moves=MOVES)
def test_F8_there_is_room_for_any_run_at_any_place_however_often_people_move(
    tmp_path_factory: pytest.TempPathFactory, priorities: list[int], moves: list[tuple[int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("queue")
    states = {f"run-{n}": queued(f"run-{n}", priority, n) for n, priority in enumerate(priorities)}
    line = sorted(Places(folder).of(state) for state in states.values())
    for which, where in moves:
        run_id = line[which % len(line)].run_id
        others = [place for place in line if place.run_id != run_id]
        index = where % len(others)
        behind = where % 2 == 0
        place = place_after(others, index, run_id) if behind else place_before(others, index, run_id)
        Places(folder).give(place, states.keys())
        line = sorted(Places(folder).of(state) for state in states.values())
        expected = [other.run_id for other in others]
        expected.insert(index + behind, run_id)
        assert [place.run_id for place in line] == expected


def test_a_place_that_was_given_is_kept_until_its_run_waits_no_more(tmp_path: Path) -> None:
    one, two = queued("one-1"), queued("two-1", after=1)
    natural = Places(tmp_path).of(two)
    Places(tmp_path).give(place_before([Places(tmp_path).of(one)], 0, "two-1"), {"one-1", "two-1"})
    assert Places(tmp_path).of(two) < Places(tmp_path).of(one) < natural
    Places(tmp_path).give(place_after([Places(tmp_path).of(one)], 0, "three-1"), {"one-1", "three-1"})
    assert Places(tmp_path).of(two) == natural


@pytest.mark.parametrize(
    "content", ["", "[]", "{", '{"two-1": 7}', '{"two-1": [0, "1/0"]}', '{"two-1": ["x", "1"]}', "\x00", "null"]
)
def test_a_damaged_file_gives_nobody_a_place_and_is_written_anew(tmp_path: Path, content: str) -> None:
    one, two = queued("one-1"), queued("two-1", after=1)
    (tmp_path / ".places.json").write_text(content)
    places = Places(tmp_path)
    assert places.of(one) < places.of(two)
    places.give(place_before([places.of(one)], 0, "two-1"), {"one-1", "two-1"})
    assert Places(tmp_path).of(two) < Places(tmp_path).of(one)
