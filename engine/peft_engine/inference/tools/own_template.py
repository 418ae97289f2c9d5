"""The chat template that a model's files hold, for how its family writes calls. Only looked at, never rendered here."""

from functools import lru_cache
from pathlib import Path

from peft_engine.catalog import Servable
from peft_engine.models.gguf_header import read_gguf_header
from peft_engine.models.tokenizer_files import read_tokenizer


def own_template(model: Servable) -> str | None:
    """Return the template of a model: an adapter's own, else the base's; None if there is none or it cannot be read."""
    for path in (*(adapter.path for adapter in model.adapters), model.weights):
        try:
            state = (path / "tokenizer_config.json" if path.is_dir() else path).stat()
            template = _template(path, state.st_size, state.st_mtime_ns)
        except (OSError, ValueError):
            # An adapter may come without a tokenizer; what is wrong with the weights is said when they are loaded.
            continue
        if template is not None:
            return template
    return None


@lru_cache(maxsize=64)
def _template(path: Path, size: int, mtime_ns: int) -> str | None:
    """Read a template once for each state of its file: passing over a long vocabulary takes a tenth of a second."""
    return read_tokenizer(path).chat_template if path.is_dir() else read_gguf_header(path).chat_template
