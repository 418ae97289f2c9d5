"""What a model folder's tokenizer says, read from its JSON files: special tokens and chat template."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peft_engine.models.regular import stat_file

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")

_LARGEST = 64 * 2**20
"""Bytes of a file that is still read. The largest tokenizer.json known has half of it."""

_LOOKS_SPECIAL = re.compile(r"<[|｜][^<>|｜\s]{1,64}[|｜]>")  # noqa: RUF001  (DeepSeek's own bar)
_GENERATION = re.compile(r"\{%-?\s*generation\b")


@dataclass(frozen=True)
class TokenizerFacts:
    """What is known of a tokenizer. What its files do not say is None."""

    tokens: frozenset[str] | None
    chat_template: str | None
    bos_token: str
    """Empty when there is none."""

    eos_token: str
    has_remote_code: bool


def read_tokenizer(folder: Path) -> TokenizerFacts:
    """Read the tokenizer's files in a model folder."""
    config = read_json(folder / "tokenizer_config.json")
    return TokenizerFacts(
        tokens=_tokens(read_json(folder / "tokenizer.json"), config),
        chat_template=_chat_template(folder, config),
        bos_token=_text(config.get("bos_token")),
        eos_token=_text(config.get("eos_token")),
        has_remote_code=bool(config.get("auto_map")),
    )


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file, an empty one when there is none that could be read."""
    try:
        value = json.loads(path.read_bytes()) if stat_file(path).st_size <= _LARGEST else None
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def looks_special(token: str) -> bool:
    """Tell whether a token has the form `<|name|>`, which vocabularies keep for special ones."""
    return _LOOKS_SPECIAL.fullmatch(token) is not None


def has_generation_markers(template: str) -> bool:
    """Tell whether a chat template marks what the assistant says."""
    return _GENERATION.search(template) is not None


def _tokens(tokenizer: dict[str, Any], config: dict[str, Any]) -> frozenset[str] | None:
    added = tokenizer.get("added_tokens")
    decoder = config.get("added_tokens_decoder")
    if not isinstance(added, list) and not isinstance(decoder, dict):
        return None
    entries = [*(added or []), *(decoder.values() if isinstance(decoder, dict) else [])]
    found = {entry["content"] for entry in entries if isinstance(entry, dict) and isinstance(entry.get("content"), str)}
    model = tokenizer.get("model")
    vocabulary = model.get("vocab") if isinstance(model, dict) else None
    if isinstance(vocabulary, dict):
        found.update(filter(looks_special, vocabulary))
    return frozenset(found)


def _text(token: Any) -> str:
    content = token.get("content") if isinstance(token, dict) else token
    return content if isinstance(content, str) else ""


def _chat_template(folder: Path, config: dict[str, Any]) -> str | None:
    file = folder / "chat_template.jinja"
    try:
        stat_file(file)
        return file.read_text(encoding="utf-8")
    except (OSError, ValueError):
        pass
    written = config.get("chat_template")
    if isinstance(written, list):  # several templates by name, of which conversations take `default`
        named = {entry.get("name"): entry.get("template") for entry in written if isinstance(entry, dict)}
        written = named.get("default")
    return written if isinstance(written, str) else None
