"""What an inference process died of.

Native code that fails takes the whole process along, and a file can make it fail. So what a thread is doing, and for
which models, stands in a small file while it does it, and a process that finds such a file when it starts knows what
the one before it died of. A model that one died of is not loaded at the start any more. Asked for, it gets one more
chance, for the fault may have been another's; when that ends likewise, with no answer in between, it is refused until
somebody loads it on purpose.
"""

import contextlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import psutil
from pydantic import TypeAdapter, ValidationError

from peft_engine.catalog import Servable
from peft_engine.files import write_atomic
from peft_engine.home import home
from peft_schemas.errors import ErrorReport, WorkbenchError

Doing = Literal["loading", "computing"]

_CHANCES = 2
"""So many deaths in a row, without an answer in between, and a model is not tried any more."""


@dataclass(frozen=True)
class Death:
    """What became of processes that had to do with a model."""

    times: int
    """In a row."""

    doing: Doing
    """What the last of them did."""


_KNOWN: TypeAdapter[dict[str, Death]] = TypeAdapter(dict[str, Death])
_MODELS: TypeAdapter[list[str]] = TypeAdapter(list[str])


class Occupation:
    """What one thread is doing now, where the next process finds it."""

    def __init__(self, path: Path) -> None:
        """Begin with nothing.

        Args:
            path: The file that says for which models; absent where for none.
        """
        self._path = path
        self._models: Sequence[str] = ()

    def left_behind(self) -> list[str]:
        """Return the models that the process before this one was busy with when it died, and forget them."""
        try:
            # Before this machine was started they say nothing: it was switched off.
            told = self._path.read_text() if self._path.stat().st_mtime > psutil.boot_time() else "[]"
            models = _MODELS.validate_json(told)
        except (OSError, ValueError):
            models = []
        self._path.unlink(missing_ok=True)
        return models

    def with_models(self, models: Sequence[str]) -> None:
        """Say for which models something is done from now on; none when nothing is."""
        if models == self._models:
            return
        self._models = models
        # A full disk must not end the thread that computes.
        with contextlib.suppress(OSError):
            if models:
                self._path.write_text(json.dumps(models))
            else:
                self._path.unlink(missing_ok=True)


class Deaths:
    """Which models processes died of. Changed by the computing thread alone."""

    def __init__(self) -> None:
        """Find out what the process before this one died of. Only the one process of a user may."""
        folder = home() / "serve-deaths"
        folder.mkdir(parents=True, exist_ok=True)
        self.loading = Occupation(folder / "loading.json")
        """The models whose bases are being loaded."""

        self.computing = Occupation(folder / "computing.json")
        """The models whose answers are being computed."""

        self._path = folder / "deaths.json"
        self._known = self._read()
        newest: list[str] = []
        found: list[tuple[Doing, list[str]]] = [
            ("loading", self.loading.left_behind()),
            ("computing", self.computing.left_behind()),
        ]
        for doing, models in found:
            for model in models:
                before = self._known.get(model)
                self._known[model] = Death(before.times + 1 if before else 1, doing)
                newest.append(model)
        if newest:
            self._write()
        self.newest = {model: report for model in newest if (report := self.report(model))}
        """The models that the process before this one died of, and what there is to say of each."""

    def report(self, model: str) -> ErrorReport | None:
        """Return what there is to say of a model; None where no process died of it since its last answer."""
        death = self._known.get(model)
        if death is None:
            return None
        what = f"loaded {model}" if death.doing == "loading" else f"computed an answer of {model}"
        if death.times < _CHANCES:
            return ErrorReport(
                code="serve-failed",
                message=f"The inference process died while it {what}.",
                remedy="Ask again to try once more; if it dies again, get the file again or choose another model. "
                "What it said last is in logs/serve.log of the state folder.",
            )
        return ErrorReport(
            code="serve-failed",
            message=f"The inference process died {death.times} times in a row while it {what}, so it is not tried "
            "any more.",
            remedy=f"Load it with `peftw serve load {model}` to try once more, get the file again, or choose another "
            "model. What it said last is in logs/serve.log of the state folder.",
        )

    def of(self, model: Servable) -> ErrorReport | None:
        """Return what there is to say of a model or of its base."""
        return self.report(model.id) or self.report(model.base)

    def require_hope(self, model: Servable) -> None:
        """Refuse a model that processes died of too often.

        Raises:
            WorkbenchError: They did (`serve-failed`).
        """
        for name in (model.id, model.base):
            death, report = self._known.get(name), self.report(name)
            if death is not None and death.times >= _CHANCES and report is not None:
                raise WorkbenchError(report.code, report.message, report.remedy)

    def loaded(self, base: str) -> None:
        """Note that a base was loaded and the process lives."""
        death = self._known.get(base)
        if death is not None and death.doing == "loading":
            self._forget(base)

    def answered(self, model: Servable) -> None:
        """Note that a model gave an answer and the process lives."""
        self._forget(model.id)

    def forgive(self, model: Servable) -> None:
        """Try a model once more, on purpose."""
        self._forget(model.id, model.base)

    def _forget(self, *models: str) -> None:
        if not self._known.keys().isdisjoint(models):
            self._known = {model: death for model, death in self._known.items() if model not in models}
            self._write()

    def _read(self) -> dict[str, Death]:
        try:
            return _KNOWN.validate_json(self._path.read_bytes())
        except (OSError, ValidationError):
            return {}

    def _write(self) -> None:
        with contextlib.suppress(OSError):
            write_atomic(self._path, json.dumps({model: asdict(death) for model, death in self._known.items()}))
