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

    def feed(self, piece: bytes) -> None:
        """Take in the bytes of one token."""
        if self.stopped:
            return
        self._held += self._decoder.decode(piece)
        found = [position for stop in self._stops if (position := self._held.find(stop)) >= 0]
        if found:
            self._ready += self._held[: min(found)]
            self._held = ""
            self.stopped = True
            return
        keep = self._undecided()
        self._ready += self._held[: len(self._held) - keep]
        self._held = self._held[len(self._held) - keep :]

    def end(self) -> None:
        """Say that no more tokens come: what was held back is text after all; a cut-off character is dropped."""
        self._ready += self._held
        self._held = ""

    def take(self) -> str:
        """Return the text that became certain since the last call."""
        text, self._ready = self._ready, ""
        return text

    def _undecided(self) -> int:
        """Return how many characters at the end could begin a stop string."""
        longest = max((len(stop) for stop in self._stops), default=1) - 1
        for length in range(min(longest, len(self._held)), 0, -1):
            tail = self._held[-length:]
            if any(stop.startswith(tail) for stop in self._stops):
                return length
        return 0
