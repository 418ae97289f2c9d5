"""Ways in which byte-level tokenizers cut a text before they merge bytes, by the names that llama.cpp has for them."""

from typing import Any

from peft_engine.models.convertible import Step, conversion_data


def pre_tokenizer_of(name: str) -> Any | None:
    """Return the `tokenizers.pre_tokenizers` object that cuts as llama.cpp does under a name, None for unknown names.

    Args:
        name: `tokenizer.ggml.pre` of a GGUF file.
    """
    from tokenizers import pre_tokenizers

    ways = conversion_data().cuts.get(name)
    return None if ways is None else pre_tokenizers.Sequence([_made(step) for step in ways[0]])


def _made(step: Step) -> Any:
    from tokenizers import Regex, pre_tokenizers

    if step.digits is not None:
        return pre_tokenizers.Digits(individual_digits=True)
    if step.split is not None:
        return pre_tokenizers.Split(Regex(step.split), behavior="isolated")
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=step.bytes == "gpt-2")
