"""`python -m peft_engine.inference`: started by clients that need a model; see `peftw serve`."""

import argparse
import asyncio
import logging
import os
import sys

import psutil

from peft_engine.hardware.cores import usable_cores
from peft_engine.process import ProcessIdentity
from peft_engine.serve_lock import ALREADY_SERVED, ServeLock
from peft_engine.settings import read_settings
from peft_schemas.errors import ErrorReport, WorkbenchError

_log = logging.getLogger("peft_engine.inference")


def main(arguments: list[str]) -> int:
    """Serve, and return the exit code. An error is one line of JSON on stderr, which the starter reads."""
    options = _parser().parse_args(arguments)
    if options.home:
        os.environ["PEFTW_HOME"] = options.home
    # Threads that spin at each barrier collapse, to a fortieth of their speed, when anything else computes on this
    # machine, as a training run does. Read by the native library when it is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(process)d %(levelname)s %(message)s")
    lock = ServeLock.take()
    if lock is None:
        _log.info(ALREADY_SERVED)
        return 0
    try:
        chosen = read_settings().serving
        # Only now, so that a second starter leaves at once and a missing library is a sentence.
        from peft_engine.inference.process import InferenceProcess, Settings

        idle_minutes = chosen.leave_minutes if options.idle_minutes is None else options.idle_minutes
        settings = Settings(
            port=options.port or chosen.port,
            idle_seconds=idle_minutes * 60,
            unload_seconds=chosen.unload_minutes * 60,
            threads=options.threads or chosen.threads or usable_cores(),
            memory_bytes=chosen.memory_bytes(psutil.virtual_memory().total),
            load=tuple(options.load) or tuple(chosen.load),
            pin=tuple(chosen.pin),
            origins=frozenset(chosen.allowed_origins),
            requests_per_minute=chosen.requests_per_minute,
            parent=_identity(options.parent),
        )
        asyncio.run(InferenceProcess(settings).run())
    except WorkbenchError as error:
        return _fail(error.report())
    except ImportError as error:
        return _fail(
            ErrorReport(
                code="extra-missing",
                message=f"{error.name} is not installed for {sys.executable}, so no model can be served.",
                remedy=f"Install it: {sys.executable} -m pip install 'peft-workbench[serve]'",
            )
        )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="peft_engine.inference", description="Serve models to this user.")
    parser.add_argument("--home", help="the state folder, as PEFTW_HOME")
    parser.add_argument("--port", type=int, default=0, help="0 for that of the settings, the last one, or any free one")
    parser.add_argument("--idle-minutes", type=float, help="leave when idle for so long; 0 for never")
    parser.add_argument("--threads", type=int, default=0, help="processor threads that compute; 0 for the settings'")
    parser.add_argument("--load", action="append", default=[], help="a model to load at the start; may be repeated")
    parser.add_argument("--parent", help="PID:STARTED of the process to end with")
    return parser


def _identity(text: str | None) -> ProcessIdentity | None:
    if text is None:
        return None
    pid, _, started = text.partition(":")
    return ProcessIdentity(int(pid), float(started))


def _fail(error: ErrorReport) -> int:
    print(error.model_dump_json(), file=sys.stderr, flush=True)  # noqa: T201  (read by the starter)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
