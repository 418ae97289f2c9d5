"""What was found out about the world, kept while the files that it rests on stay as they are."""

import threading
import time
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from functools import cache

from peft_daemon.language.world.looker import Looker
from peft_engine.files import stamp
from peft_engine.look import Answer, Question

_KEPT = 512
"""Answers. The largest, about a model, takes some hundred kilobytes."""

_VALID = 600.0
"""Seconds after which an answer is asked for again: packages and disks change without a file that could be watched."""

_RETRY = 60.0
"""The same for a question that could not be answered."""


@dataclass(frozen=True)
class Known:
    """An answer that was given once."""

    answer: Answer
    until: float

    def still_holds(self) -> bool:
        """Tell whether the files are as they were."""
        stamps = self.answer.stamps.items()
        return time.monotonic() < self.until and all(stamp(path) == before for path, before in stamps)


class Answers:
    """Answers by question. Safe to use from several threads."""

    def __init__(self, looker: Looker) -> None:
        """Know nothing yet."""
        self._looker = looker
        self._known: OrderedDict[Hashable, Known] = OrderedDict()
        self._lock = threading.Lock()

    def known(self, question: Question) -> Known | None:
        """Return the last answer to a question, whether it still holds or not; None when it was never asked."""
        with self._lock:
            return self._known.get(question)

    def find(self, question: Question) -> Answer:
        """Return the answer to a question, looked up now unless it is known."""
        known = self.known(question)
        if known is not None and known.still_holds():
            return known.answer
        answer = self._looker.ask(question)
        kept = Known(answer or Answer(), time.monotonic() + (_VALID if answer is not None else _RETRY))
        with self._lock:
            self._known[question] = kept
            self._known.move_to_end(question)
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return kept.answer


@cache
def answers_of(python: str) -> Answers:
    """Return the answers that this process shares, for the interpreter that trains."""
    return Answers(Looker(python))
