"""The chat template that a model's files hold, for how its family writes calls. Only looked at, never rendered here."""

from functools import lru_cache
from pathlib import Path

from peft_engine.catalog import Servable
from peft_engine.models.gguf_header import read_gguf_header
from peft_engine.models.tokenizer_files import TOKENIZER_FILES, read_tokenizer


def own_template(model: Servable) -> str | None:
    """Return the template of a model, None if there is none or it cannot be read.

    What its definition says goes before an adapter's own, and that before the base's.
    """
    if model.template is not None:
        return model.template
    for path in (*(adapter.path for adapter in model.adapters), model.weights):
        try:
            template = _template(path, _state(path))
        except (OSError, ValueError):
            # What is wrong with the weights is said when they are loaded.
            continue
        if template is not None:
            return template
    return None


def _state(path: Path) -> tuple[tuple[int, int], ...]:
    """Return what changes when the template does."""
    files = [path / name for name in TOKENIZER_FILES] if path.is_dir() else [path]
    return tuple((stat.st_size, stat.st_mtime_ns) for stat in (file.stat() for file in files if file.exists()))


@lru_cache(maxsize=64)
def _template(path: Path, state: tuple[tuple[int, int], ...]) -> str | None:
    """Read a template once for each state of its files: passing over a long vocabulary takes a tenth of a second."""
    return read_tokenizer(path).chat_template if path.is_dir() else read_gguf_header(path).chat_template
