"""What is known around the open documents: files at a glance, everything else in the background.

A document is judged with what is known at that moment. What arrives or changes later is told, so that open documents
are judged again without an edit.
"""

import asyncio
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from peft_daemon.language.context import NOTHING_KNOWN, CheckContext
from peft_daemon.language.world.answers import Answers
from peft_daemon.language.world.gather import complete, look_at_files, questions, trackers_of
from peft_daemon.language.world.named import Named, named_in, names_alike
from peft_engine.config.document import Document
from peft_engine.config.parts import Placed
from peft_engine.look import Answer, Question
from peft_engine.loopback.answering import is_answering

_FRESH = 2.0
"""Seconds after which an edit has the disk looked at again, in the background."""

_SETTLE = 0.3
"""Seconds that nothing new is asked before the questions are: a name that is being typed changes with each letter."""

_TELL = 0.5
"""Seconds between two tellings while answers arrive."""

_KEPT = 64
"""Documents whose last view is kept."""


@dataclass
class _View:
    """What was known around a document when it was last asked about."""

    named: Named | None
    """What the document named; None when answers have arrived since."""

    context: CheckContext
    news: int
    """How often the editor had told of files when they were looked at."""

    until: float
    """When the files shall be looked at again."""

    parts: tuple[Placed, ...] = ()
    """The text that was last seen to name just that."""


class World:
    """Gathers what is known. Lives on the event loop; the looking is done in threads and in a child process."""

    def __init__(self, python: str, answers: Answers) -> None:
        """Know nothing yet.

        Args:
            python: The interpreter that trains.
            answers: Finds out what a glance at the disk does not tell.
        """
        self._python = python
        self._answers = answers
        self._views: OrderedDict[Path, _View] = OrderedDict()
        self._listeners: list[Callable[[], None]] = []
        self._open: dict[Path, list[Question]] = {}
        """Questions that wait to be asked, by document: one that was edited no longer asks what it asked before."""

        self._timer: asyncio.TimerHandle | None = None
        self._is_asking = False
        self._news = 0
        self._looks: dict[Path, asyncio.Task[None]] = {}
        """The looks in the background."""

        self._answering: dict[str | None, bool | None] = {}
        """Whether the trackers answered when they were tried last, by address; replaced whole."""

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call a function, on the loop, whenever something else is known than before."""
        self._listeners.append(listener)

    async def context(self, document: Document, path: Path | None) -> CheckContext:
        """Return what is known around a document: the same object as long as nothing changes.

        Args:
            document: The document.
            path: Its own file; None for a document without a place on disk, around which nothing is known.
        """
        if path is None:
            return NOTHING_KNOWN
        at_hand = self.at_hand(document, path)
        if at_hand is not None:
            return at_hand
        view = self._views.get(path)
        before = None if view is None or view.news != self._news else view.context
        return await self._look(path, named_in(document), before)

    def at_hand(self, document: Document, path: Path | None) -> CheckContext | None:
        """Return the same without waiting, None when something has to be looked at first."""
        if path is None:
            return NOTHING_KNOWN
        view = self._views.get(path)
        if view is None or view.news != self._news:
            return None
        named = view.named
        if named is None or not names_alike(view.parts, document.parts):
            named = named_in(document)
        if time.monotonic() > view.until and path not in self._looks:
            self._looks[path] = asyncio.get_running_loop().create_task(self._look_in_the_background(path, named))
        if view.named != named:
            return None
        view.parts = document.parts
        return view.context

    def look_again(self) -> None:
        """Trust no look from before: the editor says that files changed."""
        self._news += 1

    async def try_trackers(self, open_: Iterable[Path]) -> None:
        """Try the trackers of this machine that documents name, and tell where another thing is known than before.

        Nobody tells when a server starts or ends, so this is called again and again.

        Args:
            open_: The documents that are open.
        """
        seen = {path: view for path in open_ if (view := self._views.get(path)) is not None}
        named = {path: view.named for path, view in seen.items() if view.named is not None}
        addresses = {one.tracker for one in named.values() if one.tracker is not None}
        # What a document names is not known while answers have arrived; what it named a moment ago is tried meanwhile.
        addresses.update(*(view.context.trackers for view in seen.values()))
        self._answering = {address: await asyncio.to_thread(is_answering, address) for address in addresses}
        for path, one in named.items():
            # Held against what is known of each document, so that one which was edited meanwhile is seen the next time.
            is_same = seen[path].context.trackers == trackers_of(one, self._answering)
            if not is_same and self._views.get(path) is seen[path] and path not in self._looks:
                self._looks[path] = asyncio.create_task(self._look_in_the_background(path, one))

    async def _look_in_the_background(self, path: Path, named: Named) -> None:
        before = self._views[path].context
        try:
            after = await self._look(path, named, None)
        finally:
            del self._looks[path]
        if after is not before:
            self._tell()

    async def _look(self, path: Path, named: Named, before: CheckContext | None) -> CheckContext:
        """Return what is known, from the last look as far as that tells."""
        while True:
            news = self._news
            # A file on a network drive may take long to look at, and nobody shall wait for it.
            context, missing = await asyncio.to_thread(self._look_now, path.absolute().parent, named, before)
            if news == self._news:
                break
            # Files changed while this looked. What it saw must not take the place of what a later look has seen.
            before = None
        last = self._views.get(path)
        if last is not None and last.context == context:
            context = last.context
        until = time.monotonic() + _FRESH if before is None or last is None else last.until
        self._views[path] = _View(named, context, news, until)
        self._views.move_to_end(path)
        while len(self._views) > _KEPT:
            self._views.popitem(last=False)
        self._ask_soon(path, missing)
        return context

    def _look_now(self, folder: Path, named: Named, before: CheckContext | None) -> tuple[CheckContext, list[Question]]:
        """Return what is known, and the questions whose answers are missing or may have changed."""
        context = replace(look_at_files(folder, named, before), trackers=trackers_of(named, self._answering))
        asked = questions(folder, named, context, self._python)
        missing = [question for question in asked if not self._holds(question)]
        return complete(context, asked, self._last_answer), missing

    def _holds(self, question: Question) -> bool:
        known = self._answers.known(question)
        return known is not None and known.still_holds()

    def _last_answer(self, question: Question) -> Answer | None:
        # One that may have changed is better than none until the new one is there: findings would come and go.
        known = self._answers.known(question)
        return None if known is None else known.answer

    def _ask_soon(self, path: Path, missing: list[Question]) -> None:
        self._open.pop(path, None)
        if not missing:
            return
        self._open[path] = missing
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(_SETTLE, self._start_asking)

    def _start_asking(self) -> None:
        self._timer = None
        if self._is_asking or not self._open:
            return
        asked = list(dict.fromkeys(question for missing in self._open.values() for question in missing))
        self._open.clear()
        self._is_asking = True
        # A thread of our own, because an editor that leaves shall not wait for the answers.
        arguments = (asked, asyncio.get_running_loop())
        threading.Thread(target=self._ask, args=arguments, name="world", daemon=True).start()

    def _ask(self, asked: list[Question], loop: asyncio.AbstractEventLoop) -> None:
        has_news, told_at = False, time.monotonic()
        with suppress(RuntimeError):  # the loop was closed: nobody wants to know any more
            try:
                for question in asked:
                    before = self._last_answer(question) or Answer()
                    after = self._answers.find(question)
                    has_news = has_news or replace(after, stamps={}) != replace(before, stamps={})
                    if has_news and time.monotonic() - told_at > _TELL:
                        loop.call_soon_threadsafe(self._arrived)
                        has_news, told_at = False, time.monotonic()
            finally:
                loop.call_soon_threadsafe(self._done, has_news)

    def _arrived(self) -> None:
        for view in self._views.values():
            view.named = None
        self._tell()

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()

    def _done(self, has_news: bool) -> None:
        self._is_asking = False
        if has_news:
            self._arrived()
        if self._timer is None:
            self._start_asking()
