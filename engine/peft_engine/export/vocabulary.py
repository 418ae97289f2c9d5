"""A tokenizer of Transformers as llama.cpp writes it."""

import json
from pathlib import Path
from typing import Any

import gguf
from transformers import AutoTokenizer

from peft_engine.models.convertible import Step, conversion_data
from peft_engine.models.refusal import NotConvertible
from peft_engine.models.tokenizer_files import looks_special

_SPACE = "\u2581"
"""What SentencePiece writes for a space."""

_NO_SCORE = -1e6
"""Of a piece that no merge makes: it is never preferred."""


def write_vocabulary(folder: Path, size: int, writer: Any) -> None:
    """Write a model's tokenizer and chat template.

    Args:
        folder: The model's folder.
        size: How many tokens the model has, which may be more than the tokenizer.
        writer: A `gguf.GGUFWriter`.

    Raises:
        NotConvertible: llama.cpp is not known to cut texts as this tokenizer does.
    """
    tokenizer = _tokenizer(folder)
    model = tokenizer["model"]
    merges = [tuple(pair.split(" ", 1)) if isinstance(pair, str) else tuple(pair) for pair in model["merges"]]
    if not merges:
        raise NotConvertible("The tokenizer merges nothing, and llama.cpp loads no vocabulary without merges.")
    by_bytes = not model.get("byte_fallback")
    tokens, types = _tokens(tokenizer, size, by_bytes=by_bytes)
    if by_bytes:
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(_cut(tokenizer))
        writer.add_token_list(tokens)
        writer.add_token_merges([" ".join(pair) for pair in merges])
    else:
        writer.add_tokenizer_model("llama")
        writer.add_tokenizer_pre("default")
        writer.add_token_list(tokens)
        writer.add_token_scores(_scores(tokens, merges))
        writer.add_add_space_prefix(_adds_space(tokenizer))
    writer.add_token_types(types)
    # The ids of special tokens, whether one begins each text, and the chat template.
    special = gguf.SpecialVocab(folder, n_vocab=size)
    special.add_special_token.setdefault("bos", False)
    special.add_to_gguf(writer, quiet=True)


def _tokenizer(folder: Path) -> dict[str, Any]:
    """Return the tokenizer as Transformers computes with it, which is not always what stands in tokenizer.json."""
    try:
        backend = AutoTokenizer.from_pretrained(folder).backend_tokenizer
    except (OSError, ValueError, AttributeError) as error:
        raise NotConvertible(f"The tokenizer of {folder.name} is none that Transformers computes by itself.") from error
    tokenizer: dict[str, Any] = json.loads(backend.to_str())
    if tokenizer["model"]["type"] != "BPE":
        raise NotConvertible(f"The tokenizer of {folder.name} does not merge pairs (BPE), which alone is converted.")
    return tokenizer


def _tokens(tokenizer: dict[str, Any], size: int, *, by_bytes: bool) -> tuple[list[str], list[int]]:
    """Return the text and the type of each token."""
    ids: dict[str, int] = tokenizer["model"]["vocab"]
    tokens, types = [f"[PAD{number}]" for number in range(size)], [int(gguf.TokenType.UNUSED)] * size
    if ids and max(ids.values()) >= size:
        raise NotConvertible(f"The tokenizer has tokens beyond the model's {size}.")
    for text, number in ids.items():
        tokens[number], types[number] = text, int(gguf.TokenType.NORMAL)
        if not by_bytes and len(text) == 6 and text.startswith("<0x"):
            types[number] = int(gguf.TokenType.BYTE)
    for added in tokenizer.get("added_tokens", []):
        number, text = added["id"], added["content"]
        if number >= size:
            raise NotConvertible(f"The tokenizer has the token {text}, which is beyond the model's {size}.")
        special = added.get("special") or looks_special(text)
        kind = gguf.TokenType.CONTROL if special else gguf.TokenType.USER_DEFINED
        if text == tokenizer["model"].get("unk_token"):
            kind = gguf.TokenType.UNKNOWN
        # User-defined tokens are looked for in the text itself, in which a space is a space.
        tokens[number] = text if special else text.replace(_SPACE, " ")
        types[number] = int(kind)
    return tokens, types


def _scores(tokens: list[str], merges: list[tuple[str, ...]]) -> list[float]:
    """Return how soon each piece is merged, as SentencePiece scores it: the earlier, the higher."""
    rank: dict[str, int] = {}
    for index, pair in enumerate(merges):
        rank.setdefault("".join(pair), index)
    return [-float(rank[token]) if token in rank else _NO_SCORE for token in tokens]


def _adds_space(tokenizer: dict[str, Any]) -> bool:
    """Tell whether a text is begun with a space before it is cut."""
    steps = [
        *_flat(tokenizer.get("normalizer"), "normalizers"),
        *_flat(tokenizer.get("pre_tokenizer"), "pretokenizers"),
    ]
    return any(
        (step["type"] == "Prepend" and step.get("prepend") == _SPACE)
        or (step["type"] == "Metaspace" and step.get("prepend_scheme", "always") != "never")
        for step in steps
    )


def _cut(tokenizer: dict[str, Any]) -> str:
    """Return llama.cpp's name of the way in which a text is cut before bytes are merged."""
    try:
        steps = [_step(step) for step in _flat(tokenizer.get("pre_tokenizer"), "pretokenizers")]
    except (KeyError, ValueError) as error:
        raise NotConvertible("The tokenizer cuts texts in a way that is not known to llama.cpp.") from error
    for name, ways in conversion_data().cuts.items():
        if steps in ways:
            return name
    raise NotConvertible("The tokenizer cuts texts in a way that is not known to llama.cpp.")


def _flat(step: dict[str, Any] | None, within: str) -> list[dict[str, Any]]:
    if step is None:
        return []
    return [part for inner in step[within] for part in _flat(inner, within)] if step["type"] == "Sequence" else [step]


def _step(step: dict[str, Any]) -> Step:
    match step["type"]:
        case "Digits" if step["individual_digits"]:
            return Step(digits="alone")
        case "Split" if step["behavior"] == "Isolated" and not step.get("invert"):
            return Step(split=step["pattern"]["Regex"])
        case "ByteLevel" if not step.get("add_prefix_space"):
            return Step(bytes="gpt-2" if step.get("use_regex", True) else "none")
    raise ValueError
