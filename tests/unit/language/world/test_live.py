"""What the editor knows: at once what a glance tells, later the rest, and the same object while nothing changes."""

import asyncio
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from peft_daemon.language.context import NOTHING_KNOWN, CheckContext
from peft_daemon.language.world import live as module
from peft_daemon.language.world.answers import Answers
from peft_daemon.language.world.live import World
from peft_daemon.language.world.looker import Looker
from peft_engine.config.document import Document, parse
from peft_engine.config.text import SourceText
from tests.unit.language.world.conftest import TEXT

DOCUMENT = parse(SourceText(TEXT))


class Watched:
    """A world, and the changes that it tells of."""

    def __init__(self, path: Path) -> None:
        self.world = World(sys.executable, Answers(Looker(sys.executable)))
        self.path = path
        self.changes: asyncio.Queue[None] = asyncio.Queue()
        self.world.on_change(lambda: self.changes.put_nowait(None))

    async def context(self, document: Document = DOCUMENT) -> CheckContext:
        return await self.world.context(document, self.path)

    async def until(self, holds: Callable[[CheckContext], object]) -> None:
        """Wait for changes until a condition holds that the next look makes true."""
        while True:
            await asyncio.wait_for(self.changes.get(), 60)
            if holds(await self.context()):
                return


@pytest.fixture
async def watched(folder: Path) -> Watched:
    return Watched(folder / "x.peft.yaml")


async def test_files_are_known_at_once_and_the_rest_arrives(watched: Watched) -> None:
    first = await watched.context()
    assert first.files["train.jsonl"].state == "present"
    assert first.presets == {"careful": {"training": {"seed": 7}}}
    assert (first.model, first.hardware, first.datasets) == (None, None, {})
    await watched.until(lambda context: len(context.datasets) == 3 and context.model and context.hardware)


async def test_the_same_object_is_returned_while_nothing_changes(watched: Watched, monkeypatch) -> None:
    await watched.context()
    await watched.until(lambda context: len(context.datasets) == 3)
    before = await watched.context()
    assert await watched.context() is before
    assert await watched.context(parse(SourceText(TEXT + "name: x\n"))) is before
    watched.world.look_again()
    assert await watched.context() is before
    (watched.path.parent / "new.txt").write_text("a")
    watched.world.look_again()
    assert await watched.context() is not before


async def test_an_edit_that_names_nothing_new_looks_at_no_file(watched: Watched, monkeypatch) -> None:
    before = await watched.context()
    monkeypatch.setattr(module, "look_at_files", lambda *_: pytest.fail("it looked"))
    assert await watched.context(parse(SourceText(TEXT + "training: {seed: 3}\n"))) is before


async def test_a_path_that_is_typed_has_only_itself_looked_at(watched: Watched) -> None:
    await watched.context()
    for name in ("train.jsonl", "other.jsonl"):
        (watched.path.parent / name).unlink()
    edited = await watched.context(parse(SourceText(TEXT.replace("held.jsonl", "other-held.jsonl"))))
    assert [edited.files[name].state for name in ("train.jsonl", "other-held.jsonl")] == ["present", "missing"]


async def test_an_editor_that_tells_of_no_files_learns_of_them_after_a_while(watched: Watched, monkeypatch) -> None:
    monkeypatch.setattr(module, "_FRESH", 0.0)
    await watched.context()
    await watched.until(lambda context: len(context.datasets) == 3)
    (watched.path.parent / "train.jsonl").unlink()
    await watched.context()
    await watched.until(lambda context: context.files["train.jsonl"].state == "missing")


async def test_a_file_that_changed_is_read_again(watched: Watched) -> None:
    await watched.context()
    await watched.until(lambda context: len(context.datasets) == 3)
    (watched.path.parent / "train.jsonl").write_text('{"text": "a"}\n' * 9)
    watched.world.look_again()
    assert (await watched.context()).datasets["train.jsonl"].records == 2
    await watched.until(lambda context: context.datasets["train.jsonl"].records == 9)


async def test_a_slow_look_does_not_hide_what_a_later_one_saw(watched: Watched, monkeypatch) -> None:
    await watched.context()
    await watched.until(lambda context: len(context.datasets) == 3)
    looks, release, real = [], threading.Event(), module.look_at_files

    def slow_at_first(*arguments):
        looks.append(None)
        seen = real(*arguments)
        if len(looks) == 1:
            release.wait(60)
        return seen

    monkeypatch.setattr(module, "look_at_files", slow_at_first)
    watched.world.look_again()
    slow = asyncio.create_task(watched.context())
    while not looks:
        await asyncio.sleep(0.01)
    (watched.path.parent / "train.jsonl").unlink()
    watched.world.look_again()
    assert (await watched.context()).files["train.jsonl"].state == "missing"
    release.set()
    assert (await slow).files["train.jsonl"].state == "missing"
    assert (await watched.context()).files["train.jsonl"].state == "missing"


async def test_a_model_that_appears_is_seen(watched: Watched) -> None:
    other = parse(SourceText("model:\n  base: ./later\n"))
    assert (await watched.context(other)).model is None
    await asyncio.wait_for(watched.changes.get(), 60)
    (watched.path.parent / "base").rename(watched.path.parent / "later")
    watched.world.look_again()
    context = await watched.context(other)
    # A look that was under way while the folder got its name has seen half of it; the next one sees all.
    while context.model is None or context.model.flaw is not None:
        await asyncio.wait_for(watched.changes.get(), 60)
        context = await watched.context(other)
    assert context.model.context_length == 512


async def test_a_document_without_a_place_knows_nothing(watched: Watched) -> None:
    assert await watched.world.context(DOCUMENT, None) is NOTHING_KNOWN
