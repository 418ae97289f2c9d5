"""What a process died of is known to the next one, tried once more, and then left alone until somebody insists."""

import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from peft_engine.inference.deaths import Deaths
from peft_engine.inference.job import Failed, Finished
from peft_engine.inference.startup import load_configured
from peft_schemas.errors import WorkbenchError
from tests.unit.inference.echoes import House, all_of, servable


def die(*, loading: tuple[str, ...] = (), computing: tuple[str, ...] = ()) -> None:
    """Leave behind what a process does that ends in the middle of it."""
    deaths = Deaths()
    deaths.loading.with_models(loading)
    deaths.computing.with_models(computing)


def test_a_process_that_was_busy_with_nothing_is_blamed_on_nobody(tmp_path: Path) -> None:
    deaths = Deaths()
    deaths.computing.with_models(("one",))
    deaths.computing.with_models(())

    assert Deaths().newest == {}


def test_it_is_said_what_the_last_process_died_of(tmp_path: Path) -> None:
    die(computing=("one", "two"))
    found = Deaths()

    assert list(found.newest) == ["one", "two"]
    assert "computed an answer of one" in found.newest["one"].message
    found.require_hope(servable(tmp_path / "one"))
    # The process after it died of nothing, but the model has given no answer yet.
    assert Deaths().newest == {}
    assert Deaths().of(servable(tmp_path / "one")) is not None


def test_two_deaths_in_a_row_are_too_many(tmp_path: Path) -> None:
    for _ in range(2):
        die(loading=("one",))

    with pytest.raises(WorkbenchError, match="died 2 times in a row while it loaded one") as error:
        Deaths().require_hope(servable(tmp_path / "one"))
    assert error.value.code == "serve-failed"
    assert "peftw serve load one" in error.value.remedy
    Deaths().require_hope(servable(tmp_path / "two"))


@pytest.mark.parametrize("sign", ["answered", "forgive"])
def test_a_sign_of_life_or_a_will_of_somebody_begins_anew(tmp_path: Path, sign: str) -> None:
    model = servable(tmp_path / "one")
    for _ in range(2):
        die(computing=("one",))
    getattr(Deaths(), sign)(model)

    assert Deaths().of(model) is None
    die(computing=("one",))
    Deaths().require_hope(model)


def test_a_base_that_was_loaded_may_still_be_deadly_to_compute_with(tmp_path: Path) -> None:
    die(loading=("one",), computing=("two",))
    deaths = Deaths()
    deaths.loaded("one")
    deaths.loaded("two")

    assert deaths.of(servable(tmp_path / "one")) is None
    assert deaths.of(servable(tmp_path / "two")) is not None


@pytest.mark.parametrize("content", ["", "{", "[1, 2]", '"one"', '{"one": 1}'])
def test_a_file_that_was_cut_off_tells_nothing(home: Path, content: str) -> None:
    Deaths()
    for name in ("computing.json", "deaths.json"):
        (home / "serve-deaths" / name).write_text(content)

    assert Deaths().newest == {}


class TestScheduler:
    """The same in a process, over engines that live."""

    @pytest.fixture
    async def begin(self, tmp_path: Path) -> AsyncIterator[Callable[[], House]]:
        """Start schedulers one after the other, as processes do."""
        begun: list[House] = []

        def begin() -> House:
            begun.append(House(tmp_path))
            return begun[-1]

        yield begin
        for house in begun:
            await house.stop()

    async def test_what_is_computed_stands_in_a_file_until_it_is_complete(
        self, begin: Callable[[], House], home: Path
    ) -> None:
        house, file = begin(), home / "serve-deaths" / "computing.json"
        house.gate = threading.Semaphore(0)
        job = house.submit("hello")
        await house.until(lambda: file.exists() and file.read_text() == '["base"]')
        for _ in range(10):
            house.gate.release()
        assert isinstance((await all_of(job))[-1], Finished)

        await house.until(lambda: not file.exists())

    async def test_a_model_that_died_twice_is_refused_and_others_are_not(self, begin: Callable[[], House]) -> None:
        for _ in range(2):
            die(computing=("base",))
        house = begin()

        (refused,) = await all_of(house.submit("hello"))
        assert isinstance(refused, Failed)
        assert "died 2 times in a row" in refused.error.message
        assert isinstance((await all_of(house.submit("hello", base="other")))[-1], Finished)
        assert [resident.base for resident in house.scheduler.residents() if resident.state == "error"] == ["base"]

    async def test_loading_it_on_purpose_tries_it_again(self, begin: Callable[[], House]) -> None:
        for _ in range(2):
            die(computing=("base",))
        house = begin()
        await house.scheduler.load(house.model()).done()

        assert isinstance((await all_of(house.submit("hello")))[-1], Finished)
        assert house.scheduler.died_of(house.model()) is None

    async def test_the_next_request_is_its_second_chance_but_the_start_is_not(
        self, begin: Callable[[], House], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        die(computing=("base",))
        house = begin()
        monkeypatch.setattr(house.scheduler, "find", house.model)
        await load_configured(house.scheduler, load=["base", "other"], pin=[])

        assert [engine.base for engine in house.engines] == ["other"]
        assert isinstance((await all_of(house.submit("hello")))[-1], Finished)
        assert house.scheduler.died_of(house.model()) is None
