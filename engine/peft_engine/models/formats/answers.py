"""What can be done with a model of a format on this machine, or the exact sentence why nothing can."""

import sys
from dataclasses import dataclass

from peft_engine.models.formats.data import formats_data
from peft_engine.models.formats.detect import Detected
from peft_schemas.errors import ErrorCode, WorkbenchError


@dataclass(frozen=True)
class Answer:
    """Whether a model can be served as it is."""

    engine: str | None
    """The engine that serves it."""

    reason: str | None = None
    """Without an engine: one sentence that says why."""

    remedy: str | None = None
    code: ErrorCode = "not-supported"
    """Without an engine: the error's code."""

    def require(self) -> str:
        """Return the engine.

        Raises:
            WorkbenchError: There is none (`not-supported`; `pickle-refused` for pickles).
        """
        if self.engine is not None:
            return self.engine
        raise WorkbenchError(self.code, self.reason or "", self.remedy or "")


def serving_answer(detected: Detected) -> Answer:
    """Say which engine serves a model, or why none does."""
    data = formats_data().formats[detected.format]
    folder = detected.path if detected.path.is_dir() else detected.path.parent
    if detected.format == "safetensors" and not (folder / "config.json").is_file():
        return Answer(
            None,
            f"{detected.path.name} has no config.json beside it, which says what its tensors mean.",
            "Put config.json and the tokenizer's files into the same folder.",
        )
    if detected.layout == "genai":
        return Answer("onnxruntime-genai")
    if detected.format == "mlx" and detected.path.is_dir() and (folder / "config.json").is_file():
        return Answer("mlx")
    if data.served_by is not None:
        return Answer(data.served_by)
    name = detected.path.name
    reason, remedy = (data.reason or "").format(name=name), (data.remedy or "").format(name=name)
    return Answer(None, reason, remedy, "pickle-refused" if detected.format == "pytorch" else "not-supported")


def backends() -> list[str]:
    """Return the ids of the engines that are part of this system."""
    return [name for name, data in formats_data().backends.items() if sys.platform in data.platforms]


def refuse_backend(name: str) -> None:
    """See that an engine that is part of a system is part of this one.

    Raises:
        WorkbenchError: It is not, or no engine has this id (`not-supported`).
    """
    known = formats_data().backends
    if name not in known:
        raise WorkbenchError("not-supported", f"There is no backend {name}.", f"There are: {', '.join(known)}.")
    if name not in backends():
        raise WorkbenchError("not-supported", known[name].reason, "Serve a GGUF or safetensors model instead.")
