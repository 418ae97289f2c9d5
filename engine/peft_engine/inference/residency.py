"""Which bases are in memory. One at a time for now; an adapter needs no place of its own."""

from collections.abc import Callable
from pathlib import Path

from peft_engine.catalog import Servable
from peft_engine.inference.contract import Engine
from peft_schemas.errors import WorkbenchError

LoadEngine = Callable[[Servable], Engine]
_FileState = tuple[Path, int, int]


class Residency:
    """Loads a base when it is asked for and unloads the one before. Used by the computing thread alone."""

    def __init__(self, load: LoadEngine) -> None:
        """Start empty.

        Args:
            load: Makes the engine for a model's base.
        """
        self._load = load
        self._engine: Engine | None = None
        self._state: _FileState | None = None
        self.loaded: tuple[str, ...] = ()
        """The ids of the bases in memory; replaced whole, so any thread may read it."""

    def is_resident(self, model: Servable) -> bool:
        """Tell whether the model's base, as its file is now, is in memory."""
        try:
            return self._engine is not None and self._state == _state_of(model.gguf)
        except WorkbenchError:
            return False

    def engine_for(self, model: Servable) -> Engine:
        """Return the engine of a model's base, loading it if need be.

        Raises:
            WorkbenchError: The base is gone or cannot be loaded; in the latter case nothing is in memory then.
        """
        state = _state_of(model.gguf)
        if self._engine is None or self._state != state:
            self.clear()
            self._engine = self._load(model)
            self._state = state
            self.loaded = (model.base,)
        return self._engine

    def clear(self) -> None:
        """Unload everything."""
        if self._engine is not None:
            self._engine.unload()
        self._engine, self._state, self.loaded = None, None, ()


def _state_of(path: Path) -> _FileState:
    try:
        stat = path.stat()
    except OSError as error:
        raise WorkbenchError(
            "model-missing", f"The model file {path} is gone.", "Put it back, or choose another model."
        ) from error
    return path, stat.st_size, stat.st_mtime_ns
