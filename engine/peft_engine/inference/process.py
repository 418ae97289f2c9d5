"""The life of the inference process.

It takes the user's lock, listens on loopback, announces itself in `serve.json` once it answers, and leaves when it is
told to, when it was idle for long, or when the process it was started for has ended.
"""

import asyncio
import logging
import os
import secrets
import signal
import time
from dataclasses import dataclass
from functools import partial

from peft_engine.inference.http.app import build_app
from peft_engine.inference.loading import load_engine
from peft_engine.inference.residency import Residency
from peft_engine.inference.scheduler import Scheduler
from peft_engine.loopback.listening import HOST, QuietServer, listen
from peft_engine.process import ProcessIdentity
from peft_engine.serve_record import ServeRecord, remove_serve_record, write_serve_record
from peft_schemas import __version__

_LOOK = 0.5
"""Seconds between two looks at the idle limit and at the parent."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """How to serve."""

    port: int
    """0 for any free one."""

    idle_seconds: float
    """The process leaves after this long without a request; 0 for never."""

    threads: int
    """Processor threads that compute."""

    parent: ProcessIdentity | None = None
    """The process for whose lifetime this one was started; None to outlive whoever started it."""


class InferenceProcess:
    """Everything that lives in the process. Its caller holds the lock."""

    def __init__(self, settings: Settings) -> None:
        """Prepare; `run` serves."""
        self._settings = settings
        self._token = secrets.token_urlsafe(32)
        self._identity = ProcessIdentity.current()
        self._scheduler = Scheduler(Residency(partial(load_engine, threads=settings.threads)))
        self._last_request = time.monotonic()
        app = build_app(self._scheduler, token=self._token, on_shutdown=self._leave, on_request=self._note_request)
        self._server = QuietServer(app)

    async def run(self) -> None:
        """Serve until something says to leave, and clear up.

        Raises:
            WorkbenchError: The port is taken (`port-busy`).
        """
        listener = listen(self._settings.port)
        port = listener.getsockname()[1]
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._leave)
        self._scheduler.start()
        serving = asyncio.create_task(self._server.serve([listener]))
        try:
            while not self._server.started and not serving.done():
                await asyncio.sleep(0.01)
            write_serve_record(self._record(port))
            _log.info("serving on port %s", port)
            while not serving.done():
                self._look()
                await asyncio.wait({serving}, timeout=_LOOK)
            await serving
        finally:
            remove_serve_record(self._identity)
            await asyncio.to_thread(self._scheduler.stop)
            _log.info("left")

    def _record(self, port: int) -> ServeRecord:
        return ServeRecord(
            pid=os.getpid(),
            started=self._identity.started,
            port=port,
            url=f"http://{HOST}:{port}/v1",
            token=self._token,
            version=__version__,
        )

    def _look(self) -> None:
        """Leave when nobody needs us any more."""
        parent = self._settings.parent
        if parent is not None and not parent.alive():
            _log.info("the process that started this one has ended")
            self._leave()
        if not self._scheduler.computing:
            _log.error("the computing thread has died")
            self._leave()
        busy = self._scheduler.active or self._scheduler.waiting
        if busy:
            self._last_request = time.monotonic()
        idle = time.monotonic() - self._last_request
        if self._settings.idle_seconds and idle > self._settings.idle_seconds:
            _log.info("idle for %.0f seconds", idle)
            self._leave()

    def _note_request(self, path: str) -> None:
        # The editor asks for the health again and again; that must not keep us alive.
        if path != "/health":
            self._last_request = time.monotonic()

    def _leave(self) -> None:
        # Clients must not find a process that no longer answers.
        remove_serve_record(self._identity)
        self._server.should_exit = True
