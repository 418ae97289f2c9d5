"""The process that converts: `python -m peft_engine.export.child REQUEST`, where the request is JSON.

It prints one JSON object a line: `{"progress": …}`, then `{"result": …}` or `{"error": …}`. When whoever started it
goes away, so does this process, and what it was making.
"""

import json
import os
import signal
import sys
import threading
import time
from typing import Any

from peft_engine.export.conversion import convert
from peft_schemas.conversion import ConversionProgress, ConversionRequest
from peft_schemas.errors import WorkbenchError

_TIDYING = 3
"""Seconds that are left to remove what is half-made; one step of native code may take longer."""

_deciding = threading.Lock()
"""Held by whichever comes first: the result's name, after which it is too late to give up, or the end of the parent."""


def main(request: ConversionRequest) -> int:
    """Convert, and return the exit code."""
    # Whoever runs in the background of a shell inherits that the signal is ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    try:
        _say("result", convert(request, _progress, _deciding.acquire).model_dump())
    except KeyboardInterrupt:
        return 1
    except WorkbenchError as error:
        _say("error", error.report().model_dump())
        return 1
    except Exception as error:  # what Transformers raises on models of strangers has no bounds
        said = (str(error).strip().splitlines() or ["no reason given"])[0][:200]
        failed = WorkbenchError(
            "conversion-failed",
            f"{request.source} could not be converted: {type(error).__name__}: {said}.",
            "Look whether Transformers can load the model; else take it in another format.",
        )
        _say("error", failed.report().model_dump())
        return 1
    return 0


def _progress(progress: ConversionProgress) -> None:
    _say("progress", progress.model_dump())


def _die_with_parent() -> None:
    # The other end of the pipe is the parent's and never written to: reading ends when the parent closes it or dies.
    os.read(sys.stdin.fileno(), 1)
    _deciding.acquire()
    # A signal to that very thread wakes it, whatever it waits for.
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    time.sleep(_TIDYING)
    os._exit(1)


def _say(kind: str, value: Any) -> None:
    print(json.dumps({kind: value}), flush=True)  # noqa: T201  (the protocol with the parent)


if __name__ == "__main__":
    sys.exit(main(ConversionRequest.model_validate_json(sys.argv[1])))
