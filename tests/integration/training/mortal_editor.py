"""An editor whose daemon is killed now and then, and that remembers what it was told of the run that it follows."""

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from peft_schemas import PROTOCOL_VERSION, __version__
from tests.lsp.client import Client
from tests.waiting import wait_until


class MortalEditor:
    """Starts a run, follows and resumes it by messages, through as many daemons as it takes."""

    def __init__(self, python: Path) -> None:
        self._python = str(python)
        self.run_id = ""
        self.received: list[dict[str, Any]] = []
        """Every event of the run that it was told, in the order in which it was."""

        self._children: list[psutil.Process] = []
        self._begin()

    def start(self, config: Path) -> None:
        """Start the run of a config and follow it."""
        # What is still told of the run before is not of this one.
        self.run_id = ""
        self.received.clear()
        self.run_id = self._ask("peft/run/start", path=str(config))["run"]["id"]
        self._follow()

    def state(self) -> str:
        """Return the run's state as the daemon tells it."""
        return str(self._ask("peft/run/show", run_id=self.run_id)["run"]["state"])

    def resume(self, *, killed_after: float | None = None) -> None:
        """Resume the run; the daemon may be killed some seconds after it was asked to."""
        params = {"run_id": self.run_id, "accept_changes": True}
        if killed_after is None:
            self._ask("peft/run/resume", **params)
            return
        self._client.begin("peft/run/resume", params)
        time.sleep(killed_after)
        self.lose_daemon()

    def lose_daemon(self) -> None:
        """Kill the daemon, and start another that is asked only for what was not told yet."""
        self._remember_children()
        self._client.kill()
        self._hear_the_rest()
        self._begin()
        if self.run_id:
            self._follow()

    def end(self) -> None:
        """End the last daemon as an editor does, and see that no daemon left a process behind."""
        self._remember_children()
        assert self._client.stop() == 0
        self._hear_the_rest()
        wait_until(lambda: not any(child.is_running() for child in self._children))

    def _begin(self) -> None:
        self._client = Client()
        options = {"extension_version": __version__, "protocol": PROTOCOL_VERSION, "python": self._python}
        self._client.initialize(initializationOptions=options)

    def _follow(self) -> None:
        after = self.received[-1]["seq"] if self.received else 0
        self.received += self._ask("peft/run/subscribe", run_id=self.run_id, after_seq=after)["events"]

    def _ask(self, method: str, **params: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self._client.request(method, params)["result"]
        self._hear()
        return answer

    def _hear(self) -> None:
        for message in self._client.notifications:
            if message["method"] == "peft/run/events" and message["params"]["run"]["id"] == self.run_id:
                self.received += message["params"]["events"]
        self._client.notifications.clear()

    def _hear_the_rest(self) -> None:
        """Take in what the daemon had written before it ended."""
        with suppress(EOFError):
            while True:
                self._client.notified("nothing")
        self._hear()

    def _remember_children(self) -> None:
        self._children += psutil.Process(self._client.process.pid).children(recursive=True)
