"""From token pieces to text that can be shown: whole characters only, and nothing of a stop string."""

import codecs
from collections.abc import Iterable


class AnswerText:
    """Assembles an answer. Text is held back while it may still turn out to be the start of a stop string."""

    def __init__(self, stops: Iterable[str] = ()) -> None:
        """Start an empty answer that ends before the first of `stops`."""
        self._stops = tuple(stops)
        # A character may be spread over several tokens; a byte that can never be part of one becomes U+FFFD.
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._ready = ""
        self._held = ""
        self.stopped = False
        self.decoded = 0
        """Characters that tokens came to, those of a stop string included."""
        self.certain = 0
        """Characters of the answer that were or can be taken."""

    def feed(self, piece: bytes) -> None:
        """Take in the bytes of one token."""
        if self.stopped:
            return
        text = self._decoder.decode(piece)
        self.decoded += len(text)
        self._held += text
        found = [position for stop in self._stops if (position := self._held.find(stop)) >= 0]
        if found:
            self._let_go(min(found))
            self._held = ""
            self.stopped = True
        else:
            self._let_go(len(self._held) - self._undecided())

    def end(self) -> None:
        """Say that no more tokens come: what was held back is text after all; a cut-off character is dropped."""
        self._let_go(len(self._held))

    def take(self) -> str:
        """Return the text that became certain since the last call."""
        text, self._ready = self._ready, ""
        return text

    def _let_go(self, characters: int) -> None:
        """Say that so many of the characters held back are certain."""
        self._ready += self._held[:characters]
        self._held = self._held[characters:]
        self.certain += characters

    def _undecided(self) -> int:
        """Return how many characters at the end could begin a stop string."""
        longest = max((len(stop) for stop in self._stops), default=1) - 1
        for length in range(min(longest, len(self._held)), 0, -1):
            tail = self._held[-length:]
            if any(stop.startswith(tail) for stop in self._stops):
                return length
        return 0
