"""The child process that tries a base, which may crash: `python -m peft_engine.inference.onnx.trial FOLDER`."""

import sys
from pathlib import Path

from peft_engine.inference.lone.trial import try_base
from peft_engine.inference.onnx.weights import Weights
from peft_engine.settings import read_settings


def main(folder: Path) -> int:
    """Try a folder and return the exit code."""
    return try_base(folder, lambda: Weights(folder, threads=2, provider=read_settings().serving.onnx_provider))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
