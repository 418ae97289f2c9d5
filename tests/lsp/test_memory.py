"""Row U13: the daemon's memory stays under its limit whatever an editor does, and it is told when it does not."""

import gc
import random
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peft_daemon.memory import MemoryWatch
from peft_engine.settings import Settings
from tests.lsp.client import Client
from tests.property.strategies import VALID, examples
from tests.unit.store.conftest import make_run_directory


@pytest.fixture
def quick_collections() -> Iterator[None]:
    """Have the collector walk only through what the test makes, and not through all that pytest holds."""
    gc.freeze()
    yield
    gc.unfreeze()


LIMIT = int(Settings().daemon.memory_mb * 1e6)


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=30), st.integers(0, 20))
@examples(200)
def test_001_P12_U13_it_is_told_if_and_only_if_memory_has_gone_over_the_limit_and_stays_there(
    quick_collections: None, looks: list[tuple[int, int]], limit: int
) -> None:
    readings: list[int] = []
    watch = MemoryWatch(lambda: readings.pop(0))
    was_over = False
    for before, after in looks:
        # The second is what is left once what nobody holds was let go.
        readings[:] = [before, after]
        over = before > limit and after > limit
        assert watch.became_high(limit) == (after if over and not was_over else None)
        was_over = over


def test_U13_an_editor_is_warned_when_the_daemon_holds_more_than_it_may(fresh: Client, home: Path) -> None:
    (home / "settings.yaml").write_text("daemon: {memory_mb: 1}\n")
    fresh.initialize()
    said = fresh.notified("window/showMessage")
    assert said["type"] == 2
    assert "more than `daemon.memory_mb` of settings.yaml allows" in said["message"]


def test_U13_checking_searching_and_listing_for_long_stays_under_the_limit(client: Client, home: Path) -> None:
    for _ in range(20):
        make_run_directory(losses=[float(step) for step in range(200)])
    chance = random.Random(5)
    text = VALID + "".join(f"# remark {number}\n" for number in range(500))
    uri = client.open("file:///long.peft.yaml", text)
    version, held = 1, []
    for turn in range(40):
        match chance.choice(["edit", "edit", "check", "find", "list", "series", "complete"]):
            case "edit":
                version += 1
                client.change(uri, version, {"text": text + f"training: {{seed: {turn}}}\n" * chance.randrange(1, 3)})
            case "check":
                client.ask("textDocument/diagnostic", uri)
            case "find":
                assert client.request("peft/runs/find", {"limit": 20})["result"]["total"] == 20
            case "list":
                assert len(client.request("peft/runs/list", {})["result"]["runs"]) == 20
            case "series":
                run_id = f"demo-{chance.randrange(1, 21)}"
                assert client.request("peft/run/series", {"run_id": run_id})["result"]["series"]
            case "complete":
                client.ask("textDocument/completion", uri, 6, 9)
        held.append(psutil.Process(client.process.pid).memory_info().rss)
    assert max(held) < LIMIT, f"{max(held) / 1e6:.0f} MB"
    assert not [one for one in client.notifications if one["method"] == "window/showMessage"]
    print(f"at most {max(held) / 1e6:.0f} MB, of {LIMIT / 1e6:.0f}")
