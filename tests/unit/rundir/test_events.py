import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peft_engine.rundir import EventLog, EventTail
from peft_engine.rundir.events import events_after, last_seq
from peft_schemas.events import LogEvent, StateEvent
from tests.property.strategies import examples


def fill(path, count):
    with EventLog(path) as log:
        for number in range(count):
            log.append(LogEvent, level="info", message=f"number {number}")


def test_numbers_rise_from_one(tmp_path):
    fill(tmp_path / "e.jsonl", 3)
    assert [event.seq for event in EventTail(tmp_path / "e.jsonl").read()] == [1, 2, 3]


def test_a_log_that_is_opened_again_goes_on_counting(tmp_path):
    fill(tmp_path / "e.jsonl", 2)
    fill(tmp_path / "e.jsonl", 2)
    assert [event.seq for event in EventTail(tmp_path / "e.jsonl").read()] == [1, 2, 3, 4]


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_line_that_a_crash_cut_short_is_removed(tmp_path, cut):
    path = tmp_path / "e.jsonl"
    fill(path, 2)
    os.truncate(path, path.stat().st_size - cut)
    fill(path, 1)
    events = EventTail(path).read()
    assert [event.seq for event in events] == [1, 2]
    assert path.read_bytes().count(b"\n") == 2


def test_a_reader_gets_each_event_once_and_only_whole(tmp_path):
    path = tmp_path / "e.jsonl"
    tail = EventTail(path)
    assert tail.read() == []
    fill(path, 2)
    assert len(tail.read()) == 2
    line = StateEvent(seq=3, time="2026-01-01T00:00:00Z", state="running").model_dump_json().encode() + b"\n"
    with path.open("ab", buffering=0) as file:
        file.write(line[:20])
        assert tail.read() == []
        file.write(line[20:])
    assert [event.seq for event in tail.read()] == [3]
    assert tail.read() == []


def test_the_newest_number_is_found_from_the_end(tmp_path):
    path = tmp_path / "e.jsonl"
    assert last_seq(path) == 0
    with EventLog(path) as log:
        log.append(LogEvent, level="info", message="short")
        log.append(LogEvent, level="info", message="l" * 200_000)
        assert last_seq(path) == 2
        log.append(LogEvent, level="info", message="short")
    assert last_seq(path) == 3


@given(tail=st.binary(max_size=40), cut=st.integers(0, 90))
@examples(100)
def test_F9_whatever_is_at_the_end_of_a_log_only_whole_events_count(tmp_path_factory, tail, cut):
    path = tmp_path_factory.mktemp("log") / "e.jsonl"
    fill(path, 3)
    os.truncate(path, path.stat().st_size - cut)
    with path.open("ab") as file:
        file.write(tail)
    whole = EventTail(path).read()
    assert last_seq(path) == (whole[-1].seq if whole else 0)
    fill(path, 1)
    assert [event.seq for event in EventTail(path).read()] == list(range(1, len(whole) + 2))


def test_threads_that_share_a_log_write_whole_events_with_numbers_of_their_own(tmp_path):
    path = tmp_path / "e.jsonl"
    with EventLog(path) as log, ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: log.append(LogEvent, level="info", message=str(number)), range(400)))
    assert [event.seq for event in EventTail(path).read()] == list(range(1, 401))


@given(
    lengths=st.lists(st.integers(1, 40_000), max_size=12),
    damaged=st.sets(st.integers(0, 11), max_size=3),
    after=st.integers(0, 14),
)
@examples(30)
def test_G1_what_follows_a_number_is_found_wherever_it_stands(tmp_path_factory, lengths, damaged, after):
    path = tmp_path_factory.mktemp("log") / "events.jsonl"
    with EventLog(path) as log:
        for length in lengths:
            log.append(LogEvent, level="info", message="x" * length)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(b"?" + line[1:] if at in damaged else line for at, line in enumerate(lines)))
    whole = EventTail(path).read()
    assert events_after(path, after) == [event for event in whole if event.seq > after]
