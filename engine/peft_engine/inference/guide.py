"""A vocabulary as llguidance knows it, made by a thread of its own when a constraint first wants it.

That takes about a second with a vocabulary of fifty thousand tokens. Answers without a constraint go on meanwhile.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future

from llguidance import LLTokenizer


class Guide:
    """Makes it once."""

    def __init__(self, make: Callable[[], LLTokenizer]) -> None:
        """Prepare.

        Args:
            make: Makes it, in any thread.
        """
        self._make = make
        self._made: Future[LLTokenizer] = Future()
        self._thread = threading.Thread(target=self._run, name="vocabulary")

    def ready(self, when_ready: Callable[[], None]) -> bool:
        """Tell whether it was made. If nobody wanted it before, it is being made from now on.

        Args:
            when_ready: Called by another thread when it was made, or could not be, if it is not there now.
        """
        self._begin()
        if self._made.done():
            return True
        self._made.add_done_callback(lambda _: when_ready())
        return False

    def get(self) -> LLTokenizer:
        """Return it, after a wait if need be.

        Raises:
            ValueError: The vocabulary cannot be read.
        """
        self._begin()
        return self._made.result()

    def close(self) -> None:
        """Wait for the thread, if there is one: what it reads is about to go."""
        if self._thread.ident is not None:
            self._thread.join()

    def _begin(self) -> None:
        if self._thread.ident is None:
            self._thread.start()

    def _run(self) -> None:
        try:
            self._made.set_result(self._make())
        except Exception as error:  # It is told to whoever wants it.
            self._made.set_exception(error)
