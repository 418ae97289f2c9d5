"""How several processes share batches, find their places, and say why they ended, without starting any."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peft_engine.rundir import RunDirectory
from peft_engine.training.data.tokens import TokenisedExample
from peft_engine.training.distributed.batches import collate_share
from peft_engine.training.distributed.place import FOLDER, Place, this_place
from peft_engine.training.distributed.start import tell, together
from peft_engine.training.failures import describe, is_lost_peer
from peft_schemas.errors import ErrorReport, WorkbenchError
from tests.property.strategies import examples


def row(first: int, length: int) -> tuple[TokenisedExample, ...]:
    """Return a row of one example, which learns all but its first token."""
    ids = np.arange(first, first + length, dtype=np.uint32)
    return (TokenisedExample(ids, np.arange(length) > 0),)


def test_F20_a_process_without_a_launcher_stands_alone_and_leads() -> None:
    assert this_place({}) == Place(rank=0, local_rank=0, processes=1, folder=None)
    assert this_place({}).leads


def test_F20_torchruns_words_and_ours_name_the_same_place() -> None:
    torchrun = {
        "RANK": "5",
        "LOCAL_RANK": "1",
        "WORLD_SIZE": "8",
        "LOCAL_WORLD_SIZE": "4",
        "MASTER_ADDR": "node0",
        "MASTER_PORT": "29500",
    }
    assert this_place(torchrun) == Place(rank=5, local_rank=1, processes=8, local_processes=4)
    ours = Place(rank=1, local_rank=1, processes=2, local_processes=2, folder=Path("somewhere"))
    assert this_place(ours.environment()) == ours
    assert FOLDER not in Place(1, 1, 2).environment()


@examples(60)
@given(
    lengths=st.lists(st.integers(2, 9), min_size=1, max_size=12),
    processes=st.integers(1, 5),
)
def test_F8_the_shares_of_a_batch_learn_each_of_its_tokens_once(lengths: list[int], processes: int) -> None:
    rows = [row(100 * number, length) for number, length in enumerate(lengths)]
    shares = [collate_share(rows, Place(rank, rank, processes)) for rank in range(processes)]
    whole = collate_share(rows, Place())
    learned = sorted(token for share in shares for token in share["targets"].tolist())
    assert learned == sorted(whole["targets"].tolist())
    # Everybody reads something, or the others would wait for its gradients for ever.
    assert all(share["input_ids"].numel() for share in shares)


def test_F15_a_lost_peer_is_no_cause_of_its_own() -> None:
    text = "[/pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:553] Connection closed by peer [127.0.0.1]:23954"
    lost = RuntimeError(text)
    assert is_lost_peer(lost)
    assert not is_lost_peer(RuntimeError("shapes do not match"))
    assert describe(lost).code == "worker-killed"


WAITS = "import time; time.sleep(600)"


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The programs that the next `together` starts instead of workers; it takes them in order."""
    programs: list[str] = []
    real = subprocess.Popen

    def popen(command: list[str], **keywords: object) -> "subprocess.Popen[bytes]":
        return real([sys.executable, "-c", programs.pop(0)], **keywords)  # type: ignore[call-overload]

    monkeypatch.setattr("peft_engine.training.distributed.start.subprocess.Popen", popen)
    return programs


def no_giving_up(report: ErrorReport) -> None:
    pytest.fail(f"gave up: {report.message}")


def test_F12_no_process_outlives_the_first_one_however_it_leaves(others: list[str], tmp_path: Path) -> None:
    before, earlier = dict(os.environ), set(psutil.Process().children())
    for error in (None, KeyboardInterrupt, ValueError):
        others[:] = [WAITS, WAITS]
        try:
            with together(RunDirectory(tmp_path), 3, no_giving_up) as place:
                assert (place.processes, place.leads, os.environ["WORLD_SIZE"]) == (3, True, "3")
                children = set(psutil.Process().children()) - earlier
                assert len(children) >= 2
                if error is not None:
                    raise error
        except (KeyboardInterrupt, ValueError):
            assert error is not None
        assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)
        assert dict(os.environ) == before


def test_F15_who_ended_the_others_is_named_with_the_signal_that_killed_it(others: list[str], tmp_path: Path) -> None:
    others[:] = [WAITS, f"import os; os.kill(os.getpid(), {signal.SIGKILL.value})"]
    with pytest.raises(WorkbenchError) as caught, together(RunDirectory(tmp_path), 3, no_giving_up):
        raise RuntimeError("gloo/gloo/transport/tcp/pair.cc: Connection closed by peer, in /gloo/")
    assert caught.value.code == "worker-killed"
    assert caught.value.message == (
        f"Number 3 of the 3 processes that trained run {tmp_path.name} together was killed by SIGKILL."
    )


def test_F15_the_error_of_another_process_becomes_that_of_the_run(others: list[str], tmp_path: Path) -> None:
    report = ErrorReport(code="out-of-memory", message="It is full.", remedy="Make room.")
    others[:] = [WAITS]
    with pytest.raises(WorkbenchError) as caught, together(RunDirectory(tmp_path), 2, no_giving_up) as place:
        tell(Place(rank=1, local_rank=1, processes=2, folder=place.folder), report)
        for child in psutil.Process().children():
            child.kill()
        raise RuntimeError("from /gloo/: Connection reset by peer")
    assert caught.value.report() == report


def test_F15_an_error_of_the_first_process_itself_stays_what_it_is(others: list[str], tmp_path: Path) -> None:
    others[:] = [WAITS]
    with pytest.raises(ZeroDivisionError), together(RunDirectory(tmp_path), 2, no_giving_up):
        raise ZeroDivisionError


def test_F15_a_first_process_that_waits_in_vain_is_given_up(
    others: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("peft_engine.training.distributed.start._GRACE", 0.1)
    others[:] = ["raise SystemExit(1)"]
    reports: list[ErrorReport] = []
    with together(RunDirectory(tmp_path), 2, reports.append):
        deadline = time.monotonic() + 300
        while not reports and time.monotonic() < deadline:
            time.sleep(0.05)
    assert reports[0].message.startswith("Number 2 of the 2 processes")
    assert reports[0].message.endswith("ended without a word.")
