"""The child process that tries a base, which may crash: `python -m peft_engine.inference.llama.trial FILE`."""

import sys
from pathlib import Path

import numpy as np

from peft_engine.inference.llama.adapters import Adapters
from peft_engine.inference.llama.blocks import BLOCK
from peft_engine.inference.llama.context import Context, NextToken, Row
from peft_engine.inference.llama.together import Together
from peft_engine.inference.llama.vocabulary import Vocabulary
from peft_engine.inference.llama.weights import Weights
from peft_schemas.errors import WorkbenchError

_LEADING = [*range(1, 0x800, 0x20), *range(0x800, 0xD800, 0x800), *range(0xE000, 0x10000, 0x800)]
_EVERY_BYTE = "".join(map(chr, [*range(1, 0x100), *_LEADING, *range(0x10000, 0x110000, 0x8000)]))
"""A text whose UTF-8 has every byte that UTF-8 can have, but for zero."""


def main(path: Path) -> int:
    """Use the vocabulary, and compute a block of many tokens, and one token and two, which take different paths."""
    try:
        weights = Weights(path)
        _try_vocabulary(weights.vocabulary)
        adapters = Adapters(weights, budget=0)
        context = Context(weights, adapters, length=4 * BLOCK, sequences=2, threads=2)
        block = list(range(min(BLOCK, weights.vocabulary.size)))
        for sequence in (0, 1):
            context.compute_block(sequence, 0, block)
        rows = Together(context, adapters).compute((), [NextToken(sequence, len(block), 0) for sequence in (0, 1)])
        _require_numbers(path, rows)
    except WorkbenchError as error:
        print(error.message, file=sys.stderr)  # noqa: T201  (read by `loading`)
        return 1
    return 0


def _try_vocabulary(vocabulary: Vocabulary) -> None:
    """Read a text of every kind, and write every token: what a vocabulary lacks ends the process."""
    vocabulary.tokenize(_EVERY_BYTE)
    for token in range(vocabulary.size):
        vocabulary.spelling(token)


def _require_numbers(path: Path, rows: list[Row]) -> None:
    if any(np.isnan(row).any() for row in rows):
        raise WorkbenchError(
            "model-unreadable",
            f"{path.name} computes no numbers: its weights are damaged.",
            "Get the file again.",
        )


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
