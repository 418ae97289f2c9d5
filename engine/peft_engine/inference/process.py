"""The life of the inference process.

It takes the user's lock, listens on loopback, announces itself in `serve.json` once it answers, and leaves when it is
told to, when it was idle for long, or when the process it was started for has ended.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import time
from dataclasses import dataclass
from functools import partial

from peft_engine.inference.http.app import build_app
from peft_engine.inference.loading import load_engine
from peft_engine.inference.residency import Residency
from peft_engine.inference.scheduler import Scheduler
from peft_engine.inference.startup import start_up
from peft_engine.loopback.listening import HOST, QuietServer, listen
from peft_engine.process import ProcessIdentity
from peft_engine.serve_key import keep_serve_key, write_serve_key
from peft_engine.serve_record import ServeRecord, remove_serve_record, write_serve_record
from peft_schemas import __version__
from peft_schemas.errors import WorkbenchError

_LOOK = 0.5
"""Seconds between two looks at the idle limit and at the parent."""

_WATCHING = ("/health", "/models/status", "/metrics")
"""What editors and monitors ask for again and again. That must not keep the process alive."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """How to serve."""

    port: int
    """0 for the one of the last time, or any free one."""

    idle_seconds: float
    """The process leaves after this long without a request, unless a pinned model is loaded; 0 for never."""

    unload_seconds: float
    """A model is unloaded when it was not used for so long; 0 for never."""

    threads: int
    """Processor threads that compute."""

    memory_bytes: int
    """What all models may take together."""

    load: tuple[str, ...] = ()
    """Ids of models to load at the start, the default model first."""

    pin: tuple[str, ...] = ()
    """Ids of models to load at the start whose bases stay."""

    origins: frozenset[str] = frozenset()
    """Web pages that may ask."""

    requests_per_minute: int | None = None
    """How many answers an address may ask for in any minute; None for no limit."""

    parent: ProcessIdentity | None = None
    """The process for whose lifetime this one was started; None to outlive whoever started it."""


class InferenceProcess:
    """Everything that lives in the process. Its caller holds the lock."""

    def __init__(self, settings: Settings) -> None:
        """Prepare; `run` serves."""
        self._settings = settings
        self._key = keep_serve_key()
        self._identity = ProcessIdentity.current()
        residency = Residency(
            partial(load_engine, threads=settings.threads),
            budget=settings.memory_bytes,
            idle_seconds=settings.unload_seconds,
        )
        self._scheduler = Scheduler(residency)
        self._last_request = time.monotonic()
        app = build_app(
            self._scheduler,
            token=self._key.token,
            on_shutdown=self._leave,
            on_request=self._note_request,
            origins=settings.origins,
            requests_per_minute=settings.requests_per_minute,
        )
        self._server = QuietServer(app)

    async def run(self) -> None:
        """Serve until something says to leave, and clear up.

        Raises:
            WorkbenchError: The port is taken (`port-busy`).
        """
        listener = self._listen()
        port = listener.getsockname()[1]
        write_serve_key(self._key.model_copy(update={"port": port}))
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
            loading = asyncio.create_task(start_up(self._scheduler, load=self._settings.load, pin=self._settings.pin))
            while not serving.done():
                self._look()
                await asyncio.wait({serving}, timeout=_LOOK)
            loading.cancel()
            await serving
        finally:
            remove_serve_record(self._identity)
            await asyncio.to_thread(self._scheduler.stop)
            _log.info("left")

    def _listen(self) -> socket.socket:
        if not self._settings.port and self._key.port:
            # Other programs have it in their settings.
            with contextlib.suppress(WorkbenchError):
                return listen(self._key.port)
        return listen(self._settings.port)

    def _record(self, port: int) -> ServeRecord:
        return ServeRecord(
            pid=os.getpid(),
            started=self._identity.started,
            port=port,
            url=f"http://{HOST}:{port}/v1",
            token=self._key.token,
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
        if self._scheduler.busy or self._scheduler.pinned:
            self._last_request = time.monotonic()
        idle = time.monotonic() - self._last_request
        if self._settings.idle_seconds and idle > self._settings.idle_seconds:
            _log.info("idle for %.0f seconds", idle)
            self._leave()

    def _note_request(self, path: str) -> None:
        if path not in _WATCHING:
            self._last_request = time.monotonic()

    def _leave(self) -> None:
        # Clients must not find a process that no longer answers.
        remove_serve_record(self._identity)
        self._server.should_exit = True
