"""Two threads that compute at the same time, each with half of torch's threads."""

import threading

import pytest
import torch

from peft_engine.training.fused.threads import Threads

PATIENCE = 60.0


@pytest.fixture(autouse=True)
def four_threads(set_threads):
    set_threads(4)


def test_both_are_computed_at_the_same_time_each_with_half_of_the_threads():
    meeting, threads = threading.Barrier(2, timeout=PATIENCE), {}

    def work(which):
        meeting.wait()
        threads[which] = torch.get_num_threads()
        return which

    assert Threads().compute(work) == (0, 1)
    assert threads == {0: 2, 1: 2}
    assert torch.get_num_threads() == 4


@pytest.mark.parametrize("odd", [3, 5])
def test_P28_of_an_odd_number_both_have_as_many(odd):
    torch.set_num_threads(odd)
    assert Threads().compute(lambda which: torch.get_num_threads()) == (odd // 2, odd // 2)
    assert torch.get_num_threads() == odd


def test_a_single_thread_is_enough():
    torch.set_num_threads(1)
    assert Threads().compute(lambda which: torch.get_num_threads()) == (1, 1)
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize("fails", [0, 1])
def test_what_fails_in_either_is_raised_when_both_have_ended(fails):
    ended = []

    def work(which):
        if which == fails:
            raise MemoryError("no room")
        ended.append(which)

    threads = Threads()
    with pytest.raises(MemoryError, match="no room"):
        threads.compute(work)
    assert ended == [1 - fails]
    assert torch.get_num_threads() == 4
    assert threads.compute(lambda which: which) == (0, 1)
