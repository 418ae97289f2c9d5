"""The worker's command line."""

import os
import sys
from pathlib import Path

from peft_engine.training.process import begin_suited

if __name__ == "__main__":
    begin_suited()
    from peft_engine.training.endings import REQUEUED
    from peft_engine.training.worker import work

    code = work(Path(sys.argv[1]).absolute())
    if code == REQUEUED:
        # Anew and light: what training loaded would lie in memory while the run waits.
        os.execv(sys.executable, [sys.executable, "-m", "peft_engine.training", *sys.argv[1:]])  # noqa: S606  (ourselves)
    sys.exit(code)
