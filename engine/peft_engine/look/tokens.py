"""How many tokens a dataset's records have by the model's own tokenizer and chat template, counted on a sample."""

import os
from importlib import import_module
from pathlib import Path
from typing import Any

from peft_engine.datasets.describe import percentile, sample_examples
from peft_engine.datasets.examples import Example, Text
from peft_engine.look.questions import AskDataset, TokenLengths
from peft_engine.models import ResolvedBase
from peft_engine.models.tokenizer_files import TokenizerFacts, read_tokenizer

_SAMPLE = 200
"""Records that are counted."""


def token_lengths(resolved: ResolvedBase | None, dataset: AskDataset, template: str | None) -> TokenLengths | None:
    """Return the lengths of a dataset's records, None where what the training writes them with cannot be had.

    Args:
        resolved: The base model.
        dataset: The dataset.
        template: The file that writes conversations; None for the model's own template.

    Raises:
        OSError: A file cannot be read.
    """
    folder = None if resolved is None else resolved.hf_dir
    if folder is None or not (folder / "tokenizer.json").is_file():
        return None
    facts = read_tokenizer(folder)
    written = facts.chat_template if template is None else Path(template).read_text(encoding="utf-8")
    examples = sample_examples(Path(dataset.path), dataset.format, dataset.columns, _SAMPLE)
    # One thread a core is too much for a look in the background.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    try:
        tokenizer = import_module("tokenizers").Tokenizer.from_file(str(folder / "tokenizer.json"))
        lengths = sorted(_length(tokenizer, facts, written, example) for example in examples)
    except Exception:  # a package is missing, or refuses the tokenizer or template; tokenizers raises bare exceptions
        return None
    p50, p99 = percentile(lengths, 0.5), percentile(lengths, 0.99)
    return None if p50 is None or p99 is None else TokenLengths(p50, p99)


def _length(tokenizer: Any, facts: TokenizerFacts, template: str | None, example: Example) -> int:
    if isinstance(example, Text):
        # The training ends a text with the token for its end.
        return len(tokenizer.encode(example.text).ids) + (1 if facts.eos_token else 0)
    if template is None:
        raise ValueError("there is no chat template")
    chat_template = import_module("peft_engine.chat_template")
    messages = [{"role": message.role, "content": message.content} for message in example.messages]
    request = chat_template.TemplateRequest(template, messages, facts.bos_token, facts.eos_token, asks_for_answer=False)
    return len(tokenizer.encode(chat_template.render(request), add_special_tokens=False).ids)
