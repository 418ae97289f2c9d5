"""The worker's command line."""

import sys
from pathlib import Path

from peft_engine.training.worker import work

if __name__ == "__main__":
    sys.exit(work(Path(sys.argv[1]).absolute()))
