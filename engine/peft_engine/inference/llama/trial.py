"""The child process that tries a base, which may crash: `python -m peft_engine.inference.llama.trial FILE`."""

import sys
from pathlib import Path

from peft_engine.inference.llama.adapters import Adapters
from peft_engine.inference.llama.context import BLOCK, Context, NextToken
from peft_engine.inference.llama.together import Together
from peft_engine.inference.llama.weights import Weights
from peft_schemas.errors import WorkbenchError


def main(path: Path) -> int:
    """Compute a block of many tokens, and one token and two, which take different paths through the library."""
    try:
        weights = Weights(path)
        adapters = Adapters(weights, budget=0)
        context = Context(weights, adapters, length=4 * BLOCK, sequences=2, threads=2)
        block = list(range(min(BLOCK, weights.vocabulary.size)))
        for sequence in (0, 1):
            context.compute_block(sequence, 0, block)
        Together(context, adapters).compute((), [NextToken(sequence, len(block), 0) for sequence in (0, 1)])
    except WorkbenchError as error:
        print(error.message, file=sys.stderr)  # noqa: T201  (read by `loading`)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
