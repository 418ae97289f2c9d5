"""The queue: in turn, ended within a step, and not ended by a fault."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from peft_engine.inference.contract import Delta
from peft_engine.inference.scheduler import Failed, Finished, Opened, Overloaded, Piece
from peft_schemas.errors import WorkbenchError
from tests.unit.inference.echoes import House, all_of, asked


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path)
    yield house
    await house.stop()


async def test_a_job_is_opened_answered_and_finished(house: House) -> None:
    opened, *pieces, finished = await all_of(house.submit("a"))

    assert opened == Opened(prompt_tokens=5)
    assert pieces == [Piece(Delta("a"))] * 3
    assert isinstance(finished, Finished)
    assert (finished.reason, finished.cached_tokens, finished.completion_tokens) == ("length", 2, 3)
    assert 0 <= finished.queued <= finished.first_token
    assert finished.generation >= 0
    assert house.scheduler.generated_tokens == 3


async def test_a_prompt_that_is_known_as_a_whole_has_its_first_token_before_any_step(house: House) -> None:
    house.gate = threading.Semaphore(0)
    events = house.submit("known").events()
    async with asyncio.timeout(20):
        first = [await anext(events) for _ in range(2)]
    assert first == [Opened(prompt_tokens=5), Piece(Delta("known"))]
    house.gate.release(2)
    rest = [event async for event in events]
    assert [type(event) for event in rest] == [Piece, Piece, Finished]
    assert house.scheduler.generated_tokens == 3

    *_, finished = await all_of(house.submit("known", max_tokens=1))
    assert isinstance(finished, Finished)
    assert finished.completion_tokens == 1
    assert house.scheduler.metrics.cached_tokens == 4
    assert not house.scheduler.busy


async def test_jobs_are_served_first_come_first_served(house: House) -> None:
    jobs = [house.submit(text) for text in "abc"]
    await asyncio.gather(*map(all_of, jobs))

    assert house.engines[0].opened == ["a", "b", "c"]
    assert house.engines[0].most_open == 1


async def test_others_are_answered_while_a_request_is_made_ready(house: House) -> None:
    constrained = house.submit("constrained")
    assert isinstance((await all_of(house.submit("hello")))[-1], Finished)
    engine = house.engine("base")
    assert engine.opened == ["hello"]

    engine.prepared = True
    await asyncio.to_thread(engine.when_ready)
    assert isinstance((await all_of(constrained))[-1], Finished)


async def test_an_engine_with_slots_is_given_as_many_jobs(house: House) -> None:
    house.slots = 2
    house.gate = threading.Semaphore(0)
    jobs = [house.submit(text) for text in "abc"]
    await house.until(lambda: house.scheduler.active >= 1)
    for _ in range(50):
        house.gate.release()
    await asyncio.gather(*map(all_of, jobs))

    assert house.engines[0].most_open == 2


async def test_one_too_many_is_refused_and_cancelled_ones_make_room(house: House) -> None:
    house.gate = threading.Semaphore(0)
    house.submit("active")
    await house.until(lambda: house.scheduler.active == 1)
    waiting = [house.submit("waiting") for _ in range(3)]
    with pytest.raises(Overloaded):
        house.submit("one too many")
    waiting[1].cancelled = True

    house.submit("fits again")


async def test_who_stops_reading_frees_the_slot_within_a_step(house: House) -> None:
    endless = house.submit("endless", max_tokens=None)
    async for event in endless.events():
        if isinstance(event, Piece):
            break
    assert [event async for event in house.submit("next").events()][-1]

    assert endless.cancelled
    assert house.scheduler.active == 0


async def test_a_cancelled_job_in_the_queue_is_never_opened(house: House) -> None:
    house.gate = threading.Semaphore(0)
    first = house.submit("first")
    await house.until(lambda: house.scheduler.active == 1)
    second, third = house.submit("second"), house.submit("third")
    second.cancelled = True
    for _ in range(50):
        house.gate.release()
    await asyncio.gather(all_of(first), all_of(third))

    assert house.engines[0].opened == ["first", "third"]


async def test_a_refused_request_disturbs_nobody(house: House) -> None:
    refused, fine = house.submit("refuse"), house.submit("fine")

    (failed,) = await all_of(refused)
    assert isinstance(failed, Failed)
    assert failed.error.code == "context-exceeded"
    assert isinstance((await all_of(fine))[-1], Finished)
    assert len(house.engines) == 1


async def test_an_answer_that_cannot_go_on_fails_alone(house: House) -> None:
    house.slots = 2
    fine, failing = house.submit("fine"), house.submit("fail alone")

    failed = (await all_of(failing))[-1]
    assert isinstance(failed, Failed)
    assert failed.error.code == "model-unreadable"
    assert isinstance((await all_of(fine))[-1], Finished)
    assert isinstance((await all_of(house.submit("after")))[-1], Finished)
    assert len(house.engines) == 1


@pytest.mark.parametrize("text", ["fault", "fault in open"])
async def test_after_a_fault_the_next_job_gets_a_new_engine(house: House, text: str) -> None:
    failed = (await all_of(house.submit(text)))[-1]
    finished = (await all_of(house.submit("fine")))[-1]

    assert isinstance(failed, Failed)
    assert failed.error.code == "internal"
    assert isinstance(finished, Finished)
    assert [engine.unloaded for engine in house.engines] == [True, False]


async def test_a_base_that_cannot_be_loaded_is_a_sentence(house: House) -> None:
    (failed,) = await all_of(house.submit("a", base="broken"))

    assert isinstance(failed, Failed)
    assert failed.error.code == "model-unreadable"
    assert house.scheduler.loaded == ()


async def test_a_base_whose_file_changed_is_loaded_anew(house: House) -> None:
    await all_of(house.submit("a"))
    (house.folder / "base").write_text("another")
    await all_of(house.submit("b"))

    assert [engine.unloaded for engine in house.engines] == [True, False]


async def test_a_base_whose_file_is_gone_is_a_sentence(house: House) -> None:
    model = house.model()
    model.weights.unlink()
    (failed,) = await all_of(house.scheduler.submit(model, asked("a")))

    assert isinstance(failed, Failed)
    assert failed.error.code == "model-missing"


async def test_when_the_process_leaves_every_open_job_hears_of_it(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.gate = threading.Semaphore(0)
    jobs = [house.submit(text, max_tokens=None) for text in "ab"]
    await house.until(lambda: house.scheduler.active == 1)
    stopping = asyncio.create_task(asyncio.to_thread(house.scheduler.stop))
    await asyncio.sleep(0.05)
    house.gate.release()
    last = [(await all_of(job))[-1] for job in jobs]
    await stopping

    assert all(isinstance(event, Failed) and event.error.code == "serve-failed" for event in last)
    assert house.engines[0].unloaded


async def test_clients_take_turns_however_much_each_asks_for(tmp_path: Path) -> None:
    house = House(tmp_path, max_waiting=50)
    house.gate = threading.Semaphore(0)
    first = house.submit("first", client="greedy")
    await house.until(lambda: house.scheduler.active == 1)
    greedy = [house.submit(f"g{number}", client="greedy") for number in range(20)]
    modest = [house.submit(f"m{number}", client="modest") for number in range(2)]
    for _ in range(100):
        house.gate.release()
    await asyncio.gather(*map(all_of, [first, *greedy, *modest]))

    assert house.engines[0].opened[1:5] == ["g0", "m0", "g1", "m1"]
    await house.stop()


async def test_a_client_that_fills_its_line_leaves_room_for_others(house: House) -> None:
    house.gate = threading.Semaphore(0)
    house.submit("active", client="greedy")
    await house.until(lambda: house.scheduler.active == 1)
    for _ in range(3):
        house.submit("waiting", client="greedy")
    with pytest.raises(Overloaded):
        house.submit("one too many", client="greedy")

    house.submit("from another", client="modest")
    assert house.scheduler.metrics.errors == {"overloaded": 1}


async def test_texts_are_embedded_in_their_order_beside_answers(house: House) -> None:
    job = house.scheduler.submit_embedding(house.model(), ["a", "bbb", [1, 2]])
    answer = house.submit("fine")
    embeddings = await job.embeddings()

    assert [list(embedding.vector) for embedding in embeddings] == [[1.0], [3.0], [2.0]]
    assert isinstance((await all_of(answer))[-1], Finished)
    assert house.scheduler.metrics.embedded_tokens == 6
    await house.until(lambda: house.scheduler.active == 0)


@pytest.mark.parametrize(("text", "code"), [("refuse", "context-exceeded"), ("fault", "internal")])
async def test_an_embedding_that_fails_is_a_sentence_and_the_next_one_is_made(
    house: House, text: str, code: str
) -> None:
    with pytest.raises(WorkbenchError) as error:
        await house.scheduler.submit_embedding(house.model(), ["a", text]).embeddings()

    assert error.value.code == code
    assert len(await house.scheduler.submit_embedding(house.model(), ["a"]).embeddings()) == 1


async def test_every_request_is_counted_once_whatever_becomes_of_it(house: House) -> None:
    house.slots = 2
    await all_of(house.submit("fine"))
    await all_of(house.submit("refuse"))
    await all_of(house.submit("fault"))
    await all_of(house.submit("x", base="broken"))
    endless = house.submit("endless", max_tokens=None)
    async for event in endless.events():
        if isinstance(event, Piece):
            break
    await house.until(lambda: house.scheduler.active == 0)

    metrics = house.scheduler.metrics
    assert metrics.requests == {"base": 4, "broken": 1}
    assert metrics.errors == {"context-exceeded": 1, "internal": 1, "model-unreadable": 1}
    assert metrics.cancelled == 1
    assert metrics.first_token.count == metrics.generation.count == 1
    assert metrics.queued.count == 3
    assert (metrics.loads.count, metrics.unloads) == (2, 1)
    assert metrics.generation_tokens == 2


async def test_a_text_is_tokenised_between_two_steps(house: House) -> None:
    with pytest.raises(WorkbenchError, match="not in memory"):
        await house.scheduler.tokenize(house.model(), "ab")
    await all_of(house.submit("a"))
    job = house.submit("b", max_tokens=None)
    await house.until(lambda: house.scheduler.active == 1)

    assert list(await house.scheduler.tokenize(house.model(), "ab")) == [97, 98]
    assert house.scheduler.active == 1
    job.cancelled = True


async def test_a_fault_of_a_tokenizer_is_its_request_s_alone(house: House) -> None:
    await all_of(house.submit("a"))
    with pytest.raises(OSError, match="tokenizer"):
        await house.scheduler.tokenize(house.model(), "fault")

    assert house.scheduler.computing
    assert isinstance((await all_of(house.submit("c")))[-1], Finished)
