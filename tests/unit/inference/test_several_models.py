"""Several bases beside each other: loaded while others answer, within the budget, switched without a gap."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from peft_engine.inference.scheduler import Failed, Finished, Piece
from peft_schemas.errors import WorkbenchError
from tests.unit.inference.echoes import House, all_of, servable


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path, budget=100)
    yield house
    await house.stop()


async def answered(house: House, base: str, *, size: int = 40) -> None:
    """Have a base loaded and used."""
    assert isinstance((await all_of(house.submit("x", base=base, size=size)))[-1], Finished)


async def test_bases_that_fit_together_stay_and_answer_alternately(house: House) -> None:
    for base in ["llama", "mistral", "llama", "mistral"]:
        await answered(house, base)

    assert house.scheduler.loaded == ("llama", "mistral")
    assert len(house.engines) == 2
    assert house.scheduler.memory_bytes == 80


async def test_a_third_that_does_not_fit_unloads_the_one_unused_for_longest(house: House) -> None:
    for base in ["one", "two", "one", "three"]:
        await answered(house, base)

    assert house.scheduler.loaded == ("one", "three")
    assert house.engine("two").unloaded


async def test_a_base_is_shown_as_pinned_as_soon_as_it_is(house: House) -> None:
    await answered(house, "one")
    for pinned in (True, False) * 20:
        await house.scheduler.pin("one", pinned=pinned)
        assert [resident.pinned for resident in house.scheduler.residents()] == [pinned]


async def test_a_pinned_base_is_never_the_one_that_goes(house: House) -> None:
    await house.scheduler.pin("one", pinned=True)
    for base in ["one", "two", "three"]:
        await answered(house, base)
    assert house.scheduler.loaded == ("one", "three")

    await house.scheduler.pin("one", pinned=False)
    await answered(house, "three")
    await answered(house, "four")
    assert house.scheduler.loaded == ("three", "four")


@pytest.mark.parametrize(("pinned", "size"), [((), 101), (("one",), 70)])
async def test_I1_a_base_that_can_never_fit_is_refused_with_the_numbers(
    house: House, pinned: tuple[str, ...], size: int
) -> None:
    for base in pinned:
        await house.scheduler.pin(base, pinned=True)
    await answered(house, "one")
    (failed,) = await all_of(house.submit("x", base="large", size=size))

    assert isinstance(failed, Failed)
    assert failed.error.code == "out-of-memory"
    assert "0.00 GB" in failed.error.message
    assert {resident.base: resident.state for resident in house.scheduler.residents()}["large"] == "error"
    assert house.scheduler.loaded == ("one",)


async def test_a_base_that_turns_out_too_large_is_unloaded_again(house: House, tmp_path: Path) -> None:
    model = servable(tmp_path / "liar", size=101)
    house.scheduler._residency._estimate = lambda _: 10
    with pytest.raises(WorkbenchError) as error:
        await house.scheduler.load(model).done()

    assert error.value.code == "out-of-memory"
    assert house.engine("liar").unloaded
    assert house.scheduler.memory_bytes == 0
    assert [resident.state for resident in house.scheduler.residents()] == ["error"]


async def test_answers_go_on_while_another_base_is_loaded(house: House) -> None:
    await answered(house, "fast")
    house.load_gate = threading.Semaphore(0)
    slow = house.submit("x", base="slow", size=40)
    await house.until(lambda: any(resident.state == "loading" for resident in house.scheduler.residents()))
    for _ in range(3):
        await answered(house, "fast")
    assert not slow.cancelled

    for _ in range(10):
        house.load_gate.release()
    assert isinstance((await all_of(slow))[-1], Finished)


async def test_I1_a_load_tells_how_far_it_is(house: House) -> None:
    house.load_gate = threading.Semaphore(0)
    load = house.scheduler.load(house.model("slow", size=40))
    shares = []
    async for share in load.progress():
        shares.append(share)
        house.load_gate.release()

    told = [share for share in shares if share is not None]
    assert told == sorted(told)
    assert len(told) > 3
    assert house.scheduler.loaded == ("slow",)


async def test_I1_a_load_that_nobody_waits_for_any_more_is_given_up_and_its_memory_is_free(house: House) -> None:
    house.load_gate = threading.Semaphore(0)
    load = house.scheduler.load(house.model("slow", size=40))
    job = house.submit("x", base="slow", size=40)
    await house.until(lambda: house.scheduler.memory_bytes == 40)
    load.cancelled = True
    await asyncio.sleep(0.05)
    assert house.given_up == []

    job.cancelled = True
    await house.until(lambda: house.scheduler.memory_bytes == 0)
    assert house.given_up == ["slow"]
    assert house.scheduler.residents() == []


async def test_unloading_while_it_loads_fails_what_waits_for_it(house: House) -> None:
    house.load_gate = threading.Semaphore(0)
    job = house.submit("x", base="slow", size=40)
    await house.until(lambda: house.scheduler.memory_bytes == 40)
    await house.scheduler.unload("slow")

    (failed,) = await all_of(job)
    assert isinstance(failed, Failed)
    assert failed.error.code == "load-cancelled"
    assert house.scheduler.memory_bytes == 0


async def test_unloading_waits_for_the_answers_that_began(house: House) -> None:
    house.gate = threading.Semaphore(0)
    job = house.submit("x", size=40)
    await house.until(lambda: house.scheduler.active == 1)
    unloading = asyncio.create_task(house.scheduler.unload("base"))
    await asyncio.sleep(0.05)
    assert not unloading.done()

    for _ in range(10):
        house.gate.release()
    await asyncio.wait_for(unloading, 20)
    assert isinstance((await all_of(job))[-1], Finished)
    assert house.engine("base").unloaded
    assert house.scheduler.loaded == ()


async def test_unloading_what_is_not_loaded_is_harmless(house: House) -> None:
    await asyncio.wait_for(house.scheduler.unload("no such"), 20)


async def test_a_base_that_must_make_room_finishes_its_answers_first(house: House) -> None:
    house.gate = threading.Semaphore(0)
    first = house.submit("x", base="one", size=60)
    await house.until(lambda: house.scheduler.active == 1)
    second = house.submit("y", base="two", size=60)
    third = house.submit("z", base="one", size=60)
    for _ in range(100):
        house.gate.release()
    ends = [(await all_of(job))[-1] for job in (first, second, third)]

    assert all(isinstance(end, Finished) for end in ends)
    assert [engine.base for engine in house.engines] == ["one", "two", "one"]


async def test_two_bases_that_do_not_fit_together_do_not_change_places_at_each_request(tmp_path: Path) -> None:
    house = House(tmp_path, budget=100, max_waiting=50)
    house.gate = threading.Semaphore(0)
    blocker = house.submit("x", base="one", size=60)
    await house.until(lambda: house.scheduler.active == 1)
    jobs = [house.submit("x", base="one", size=60) for _ in range(5)]
    jobs += [house.submit("x", base="two", size=60) for _ in range(5)]
    for _ in range(200):
        house.gate.release()
    await asyncio.gather(*map(all_of, [blocker, *jobs]))

    assert [engine.base for engine in house.engines] == ["one", "two"]
    await house.stop()


async def test_a_fault_of_one_base_does_not_disturb_another(house: House) -> None:
    await answered(house, "sound")
    endless = house.submit("x", base="sound", size=40, max_tokens=None)
    failed = (await all_of(house.submit("fault", base="faulty", size=40)))[-1]
    assert isinstance(failed, Failed)

    pieces = 0
    async for event in endless.events():
        pieces += isinstance(event, Piece)
        if pieces == 5:
            break
    assert house.engine("faulty").unloaded
    assert not house.engine("sound").unloaded


class Clock:
    """Time that passes when the test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_I17_a_base_that_is_not_used_for_long_is_unloaded_unless_it_is_pinned(tmp_path: Path) -> None:
    clock = Clock()
    house = House(tmp_path, idle_seconds=600, clock=clock)
    await house.scheduler.pin("pinned", pinned=True)
    await answered(house, "pinned")
    await answered(house, "old")
    clock.now = 599
    await answered(house, "young")
    assert set(house.scheduler.loaded) == {"pinned", "old", "young"}

    clock.now = 601
    await house.scheduler.pin("pinned", pinned=True)
    await house.until(lambda: set(house.scheduler.loaded) == {"pinned", "young"})
    assert house.engine("old").unloaded
    await house.stop()


class TestSwitching:
    """I13: the default model changes, and no request falls into a gap."""

    async def test_the_default_changes_once_the_new_model_is_in_memory(self, house: House) -> None:
        house.load_gate = threading.Semaphore(0)
        switching = asyncio.create_task(house.scheduler.switch(house.model("new", size=40)))
        await house.until(lambda: house.scheduler.busy)
        assert house.scheduler.default_model is None

        for _ in range(10):
            house.load_gate.release()
        await asyncio.wait_for(switching, 20)
        assert house.scheduler.default_model == "new"
        assert house.scheduler.metrics.switches == 1

    async def test_a_model_that_cannot_be_loaded_leaves_the_old_one(self, house: House) -> None:
        await house.scheduler.switch(house.model("old", size=40))
        with pytest.raises(WorkbenchError, match="broken"):
            await house.scheduler.switch(house.model("broken"))

        assert house.scheduler.default_model == "old"

    async def test_without_a_default_asking_for_it_is_a_sentence(self, house: House) -> None:
        with pytest.raises(WorkbenchError, match="No default model") as error:
            house.scheduler.find("default")
        assert error.value.code == "model-missing"

    async def test_twenty_switches_under_load_fail_no_request(self, tmp_path: Path) -> None:
        house = House(tmp_path, budget=100, max_waiting=100)
        models = [house.model(name, size=60) for name in ("a", "b")]
        await house.scheduler.switch(models[0])
        ends: list[tuple[str, object]] = []
        over = False

        async def ask() -> None:
            while not over:
                name = house.scheduler.default_model
                assert name is not None
                job = house.submit(name, base=name, size=60)
                events = await all_of(job)
                ends.append((name, events[-1]))
                assert {event.delta.text for event in events if isinstance(event, Piece)} == {job.model.id}

        asking = [asyncio.create_task(ask()) for _ in range(4)]
        for number in range(20):
            model = models[(number + 1) % 2]
            await asyncio.wait_for(house.scheduler.switch(model), 20)
            await house.until(lambda: ends[-1:] and ends[-1][0] == model.id)  # noqa: B023  (awaited at once)
        over = True
        await asyncio.gather(*asking)

        assert len(ends) >= 20
        assert all(isinstance(end, Finished) for _, end in ends)
        await house.stop()
