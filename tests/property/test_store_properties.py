"""The run store: nothing invented, no extreme lost, the directory always right, versions always rising."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import count, pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from peft_daemon.runs.retention import DiskWatch, Item, Kind, plan
from peft_daemon.runs.store import read_series
from peft_daemon.runs.store.decimate import Outline, Point, decimate, join, outline
from peft_daemon.runs.store.series import CHUNK, pack_outline, unpack_outline
from peft_engine.rundir import EventLog
from peft_engine.settings import Retention, RetentionRule
from peft_engine.versions import claim_version, list_versions, number
from peft_schemas.events import MetricEvent, ResumedEvent
from peft_schemas.records import SeriesParams
from tests.property.strategies import examples
from tests.unit.store.conftest import make_run_directory

SINGLE = st.floats(allow_nan=False, allow_infinity=False, width=32)
NUMBERS = st.one_of(SINGLE, st.floats(-1e300, 1e300), st.just(math.nan))
DRAWN = tuple[list[int], list[float]]


@st.composite
def series(draw: st.DrawFn, longest: int = 300) -> tuple[list[int], list[float]]:
    """Rising steps and as many values, some of them missing."""
    gaps = draw(st.lists(st.integers(1, 50), min_size=1, max_size=longest))
    steps = [sum(gaps[: i + 1]) for i in range(len(gaps))]
    return steps, draw(st.lists(NUMBERS, min_size=len(steps), max_size=len(steps)))


def same(one: Sequence[float], other: Sequence[float]) -> bool:
    return [repr(value) for value in one] == [repr(value) for value in other]


@given(series(), st.integers(10, 60))
@examples(200)
def test_U14_decimation_keeps_extremes_ends_and_what_is_missing(data: DRAWN, points: int) -> None:
    steps, values = data
    kept = decimate(steps, values, points)
    assert len(kept) <= points
    assert all(one.step < other.step for one, other in pairwise(kept))
    stored = dict(zip(steps, values, strict=True))
    assert same([point.value for point in kept], [stored[point.step] for point in kept])
    assert (kept[0].step, kept[-1].step) == (steps[0], steps[-1])
    finite = [value for value in values if not math.isnan(value)]
    shown = [point.value for point in kept if not math.isnan(point.value)]
    assert bool(shown) == bool(finite)
    assert not finite or (min(shown), max(shown)) == (min(finite), max(finite))
    assert any(math.isnan(point.value) for point in kept) == any(map(math.isnan, values))


@given(series(), st.data())
@examples(200)
def test_U14_the_outline_of_parts_is_that_of_the_whole(data: DRAWN, more: st.DataObject) -> None:
    steps, values = data
    cuts = sorted(more.draw(st.sets(st.integers(1, max(len(steps) - 1, 1)), max_size=5)) | {0, len(steps)})
    parts = [outline(steps[a:b], values[a:b]) for a, b in pairwise(cuts) if steps[a:b]]
    joined, whole = join(parts), outline(steps, values)
    assert repr(joined) == repr(whole)
    assert repr(unpack_outline(pack_outline(whole))) == repr(whole)
    assert isinstance(unpack_outline(pack_outline(whole)), Outline) and isinstance(whole.first, Point)


WRITES = st.lists(
    st.one_of(
        st.tuples(st.just("steps"), st.lists(NUMBERS, min_size=1, max_size=40)),
        st.tuples(st.just("many"), st.integers(1, 2 * CHUNK + 3)),
        st.tuples(st.just("resume"), st.floats(0, 1)),
        st.tuples(st.just("look"), st.none()),
    ),
    min_size=1,
    max_size=8,
)


@given(WRITES)
@examples(40)
def test_H1_whenever_the_index_looks_it_has_the_series_that_the_events_tell(
    writes: list[tuple[str, Any]],
) -> None:
    run = make_run_directory(state="failed", losses=[])
    expected: dict[int, float] = {}
    step = 0

    def looked() -> list[tuple[int, str]]:
        found = read_series(SeriesParams(run_id=run.id, metrics=["loss"], points=10_000))
        if not found:
            return []
        return [(step, repr(value)) for step, value in zip(found[0].steps, found[0].values, strict=True)]

    def told() -> list[tuple[int, str]]:
        return [(step, repr(None if math.isnan(value) else value)) for step, value in sorted(expected.items())]

    for what, how in writes:
        with EventLog(run.events) as log:
            if what == "resume":
                step = int(step * how)
                expected = {at: value for at, value in expected.items() if at <= step}
                log.append(ResumedEvent, step=step, attempt=2, checkpoint=None)
            values = how if what == "steps" else [1.0 / (i + 1) for i in range(how)] if what == "many" else []
            for value in values:
                step += 1
                expected[step] = value
                written = None if math.isnan(value) else value
                log.append(MetricEvent, step=step, epoch=0.0, values={"loss": written})
        if what == "look":
            assert looked() == told()
    assert looked() == told()


NAMES = count()
CHANGES = st.fixed_dictionaries(
    {
        "state": st.sampled_from(["completed", "completed", "completed", "failed", "stopped"]),
        "base": st.sampled_from(["org/a", "org/b"]),
        "method": st.sampled_from(["lora", "dora"]),
        "rate": st.sampled_from([1e-4, 2e-4]),
        "seed": st.integers(1, 3),
        "data": st.sampled_from(["a" * 64, "b" * 64]),
    }
)


@given(st.lists(CHANGES, min_size=1, max_size=8))
@examples(60)
def test_001_P30_H18_versions_are_unique_and_rise_and_a_run_that_did_not_complete_makes_none(
    changes: list[dict[str, Any]],
) -> None:
    name = f"model{next(NAMES)}"
    before: dict[str, Any] | None = None
    given_so_far: list[tuple[int, int, int]] = []
    for change in changes:
        config = {
            "model": {"base": change["base"]},
            "method": {"type": change["method"]},
            "training": {"learning_rate": change["rate"], "seed": change["seed"]},
        }
        run = make_run_directory(name, change["state"], config=config, data=change["data"])
        record = claim_version(run)
        if change["state"] != "completed":
            assert record is None
            continue
        assert record is not None and claim_version(run) == record
        assert record.change == expected_change(before, change)
        given_so_far.append(number(record.version))
        before = change
    assert given_so_far == sorted(set(given_so_far))
    assert [number(record.version) for record in list_versions(name)] == given_so_far[::-1]


def expected_change(before: dict[str, Any] | None, after: dict[str, Any]) -> str:
    if before is None:
        return "first"
    if (before["base"], before["method"]) != (after["base"], after["method"]):
        return "major"
    if (before["rate"], before["data"]) != (after["rate"], after["data"]):
        return "minor"
    return "patch"


NOW = datetime(2026, 11, 22, tzinfo=UTC)
PARTS: list[Kind] = ["checkpoint", "log"]
GUARDS = st.sampled_from([None, None, "the only copy of its version"])


@st.composite
def inventories(draw: st.DrawFn) -> list[Item]:
    """Runs with parts, each of any size and age, some of them guarded."""
    found = []
    for run in range(draw(st.integers(0, 6))):
        kinds: list[Kind] = ["run", *draw(st.lists(st.sampled_from(PARTS), max_size=4))]
        for at, kind in enumerate(kinds):
            name = f"r-{run}" if kind == "run" else f"r-{run}/{at}"
            size, written = draw(st.integers(0, 10**10)), float(draw(st.integers(0, 2 * 10**9)))
            found.append(Item(name, f"r-{run}", kind, size, written, draw(GUARDS) if kind == "run" else None))
    return found


RULES = st.builds(
    RetentionRule,
    days=st.none() | st.floats(0.001, 20_000),
    count=st.none() | st.integers(0, 8),
    size_gb=st.none() | st.floats(0, 40),
)
RETENTIONS = st.builds(Retention, runs=RULES, checkpoints=RULES, logs=RULES, free_gb=st.floats(0, 50))


@given(inventories(), RETENTIONS, st.integers(0, 10**11))
@examples(300)
def test_001_P31_H22_a_plan_names_nothing_guarded_and_counts_every_byte_once(
    items: list[Item], rules: Retention, free: int
) -> None:
    found = plan(items, rules, NOW, free)
    preselected = [item for item in found.items if item.preselected]
    guarded = {item.id for item in items if item.guard is not None}
    assert not guarded & {item.id for item in preselected}
    assert found.bytes == sum(item.bytes for item in preselected)
    going = {item.run_id for item in preselected if item.kind == "run"}
    assert not [item for item in found.items if item.kind != "run" and item.run_id in going]
    assert found.low == (free < rules.free_gb * 10**9)
    assert plan(items, Retention(free_gb=0), NOW, free).bytes == 0, "without a rule nothing is named"


@given(st.lists(st.integers(0, 20), max_size=30), st.integers(0, 20))
@examples(200)
def test_001_P31_H22_the_prompt_comes_if_and_only_if_space_has_become_low(free: list[int], threshold: int) -> None:
    watch, rules = DiskWatch(), Retention(free_gb=threshold / 10**9)
    was_low = False
    for space in free:
        assert watch.became_low(space, rules) == (space < threshold and not was_low)
        was_low = space < threshold
