"""The child process that tries a base, which may crash: `python -m peft_engine.inference.llama.trial FILE`."""

import sys
from pathlib import Path

from peft_engine.inference.contract import Sampling
from peft_engine.inference.llama.adapters import Adapters
from peft_engine.inference.llama.context import BLOCK, Context
from peft_engine.inference.llama.sampler import Sampler
from peft_engine.inference.llama.weights import Weights
from peft_schemas.errors import WorkbenchError


def main(path: Path) -> int:
    """Compute one block of many tokens and one single token, which take different paths through the library."""
    try:
        weights = Weights(path)
        context = Context(weights, Adapters(weights), length=4 * BLOCK, threads=2)
        context.begin([], None)
        context.decode_block(list(range(min(BLOCK, weights.vocabulary_size))))
        sampler = Sampler(Sampling(temperature=0, top_p=1, seed=0))
        context.decode_token(sampler.next_token(context.handle))
    except WorkbenchError as error:
        print(error.message, file=sys.stderr)  # noqa: T201  (read by `loading`)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
