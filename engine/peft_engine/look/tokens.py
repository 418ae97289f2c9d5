"""How many tokens a dataset's records have by the model's own tokenizer, counted on a sample."""

import os
from importlib import import_module
from pathlib import Path

from peft_engine.datasets.describe import percentile, sample_texts
from peft_engine.look.questions import TokenLengths
from peft_engine.models import ResolvedBase
from peft_schemas.config import ColumnsConfig, DatasetFormat

_SAMPLE = 200
"""Records that are counted."""


def token_lengths(
    resolved: ResolvedBase | None, path: Path, format: DatasetFormat, columns: ColumnsConfig
) -> TokenLengths | None:
    """Return the lengths of a dataset's records, None where there is no tokenizer, no package to run it or no record.

    Raises:
        OSError: The dataset's file cannot be looked at.
    """
    file = None if resolved is None or resolved.hf_dir is None else resolved.hf_dir / "tokenizer.json"
    if file is None or not file.is_file():
        return None
    texts = sample_texts(path, format, columns, _SAMPLE)
    # One thread a core is too much for a look in the background.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    try:
        tokenizer = import_module("tokenizers").Tokenizer.from_file(str(file))
        lengths = sorted(
            sum(len(encoding.ids) for encoding in tokenizer.encode_batch(list(turns), add_special_tokens=False))
            for turns in texts
        )
    except Exception:  # the package raises bare exceptions for every fault of the file
        return None
    p50, p99 = percentile(lengths, 0.5), percentile(lengths, 0.99)
    return None if p50 is None or p99 is None else TokenLengths(p50, p99)
