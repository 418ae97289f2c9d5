"""What a user has decided for this machine, once for all runs: `settings.yaml` in the state folder."""

import re
from typing import Annotated, Literal

import yaml
from pydantic import Field, ValidationError

from peft_engine.faults import fault_words
from peft_engine.home import settings_file
from peft_schemas.base import Word
from peft_schemas.errors import WorkbenchError

DeviceKind = Literal["cpu", "cuda", "mps"]
OnnxProvider = Literal["cpu", "cuda", "dml", "coreml"]

_AMOUNT = r"^\d+(\.\d+)? ?(%|MB|GB)$"
"""A share of the machine's memory, or MB of 10^6 or GB of 10^9 bytes."""
_AMOUNT_WORDS = "it is no amount of memory such as 60%, 8 GB or 900 MB"


class RetentionRule(Word):
    """What is kept of one kind of thing. What is left out sets no limit; what any limit excludes may go."""

    days: Annotated[float, Field(gt=0)] | None = None
    """How long it is kept after it was last written."""

    count: Annotated[int, Field(ge=0)] | None = None
    """How many of the newest are kept."""

    size_gb: Annotated[float, Field(ge=0)] | None = None
    """How much the newest that are kept may take together, in GB of 10^9 bytes."""


class Retention(Word):
    """What `peftw runs clean` names. Nothing is removed before you agree."""

    runs: RetentionRule = RetentionRule()
    """Whole runs that are at rest. A completed run that is the only copy of its version is never named."""

    checkpoints: RetentionRule = RetentionRule()
    """Checkpoints of runs that are at rest. The newest of a run that can be resumed is never named."""

    logs: RetentionRule = RetentionRule()
    """The raw output of workers that have ended."""

    free_gb: Annotated[float, Field(ge=0)] = 5.0
    """Free space, in GB, below which the editor asks whether to clean up. 5 is our own choice: two checkpoints of a
    model of a billion parameters trained in full."""


class Models(Word):
    """Where models are looked for."""

    folders: list[str] = []
    """Folders of your own, beside those of other tools; `~` stands for your home folder."""


class Serving(Word):
    """How models are served."""

    memory: Annotated[str, Field(pattern=_AMOUNT)] = "60%"
    """What all models may take together, as a share of the machine's memory or in MB of 10^6 or GB of 10^9 bytes. 60%
    is our own choice: it leaves room for an editor, a browser and a small training run."""

    kept_prompts: Annotated[str, Field(pattern=_AMOUNT)] = "5%"
    """What each GGUF model may take, within `memory`, to keep prompts that other conversations have displaced. It gives
    way where a model needs it. 5% is our own choice: on a machine of 16 GB some 6,000 tokens of a model of 7 billion
    parameters with grouped queries (128 kB each), or 35,000 of one of 135 million (23 kB). 0% keeps none."""

    threads: Annotated[int, Field(ge=1, le=256)] | None = None
    """Processor threads that compute; left out, one a core, hyper-threads not counted."""

    onnx_provider: OnnxProvider = "cpu"
    """What ONNX models are computed on, where ONNX Runtime has it: the processor, CUDA, DirectML or Core ML."""

    port: Annotated[int, Field(ge=0, le=65535)] = 0
    """Where the process listens; 0 for the port of the last time, or any free one."""

    unload_minutes: Annotated[float, Field(ge=0)] = 15
    """A model that was not used for so long is unloaded; 0 for never."""

    leave_minutes: Annotated[float, Field(ge=0)] = 30
    """The process leaves after so long without a request; 0 for never. It stays while a pinned model is loaded."""

    load: list[str] = []
    """Ids of models that are loaded when the process starts. The first one is the default model."""

    pin: list[str] = []
    """Ids of models that are loaded when the process starts, and stay."""

    allowed_origins: list[Annotated[str, Field(pattern=r"^https?://[a-z0-9.-]+(:\d{1,5})?$")]] = []
    """Web pages that may ask and read the answers, such as `http://localhost:5173`; they need the key, too."""

    requests_per_minute: Annotated[int, Field(ge=1)] | None = None
    """How many answers and embeddings an address may ask for in any minute; left out, no limit, since all who can ask
    are programs of yours, and a full queue refuses by itself."""

    def memory_bytes(self, total: int) -> int:
        """Return what all models may take, on a machine with so much memory."""
        return _amount(self.memory, total)

    def kept_bytes(self, total: int) -> int:
        """Return what prompts that were displaced may take."""
        return _amount(self.kept_prompts, total)


def _amount(text: str, total: int) -> int:
    """Return bytes, on a machine with so much memory."""
    number, unit = re.fullmatch(r"([\d.]+) ?(%|MB|GB)", text).groups()  # type: ignore[union-attr]
    return int(float(number) * {"%": total / 100, "MB": 1e6, "GB": 1e9}[unit])


class Daemon(Word):
    """The language server of an editor window."""

    memory_mb: Annotated[float, Field(gt=0)] = 500.0
    """Memory, in MB of 10^6 bytes, above which the editor is warned. 500 is our own choice: several times what it holds
    with large files open."""


class Settings(Word):
    """The content of `settings.yaml`. Every key may be left out."""

    slots: dict[DeviceKind, Annotated[int, Field(ge=1, le=64)]] = {}
    """How many runs may train at once on a device of each kind; 1 where nothing is written. Each of several CUDA
    devices has that many."""

    models: Models = Models()
    """Where models are looked for."""

    retention: Retention = Retention()
    """What may go when space is wanted."""

    serving: Serving = Serving()
    """How models are served."""

    daemon: Daemon = Daemon()
    """The language server of an editor window."""


def read_settings() -> Settings:
    """Return the user's settings, all defaults where there is no file.

    Raises:
        WorkbenchError: The file cannot be read or holds something else (`config-invalid`).
    """
    path = settings_file()
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Settings.model_validate({} if data is None else data)
    except FileNotFoundError:
        return Settings()
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in fault["loc"] if part != "[key]") or "the whole file"
        amount = fault["type"] == "string_pattern_mismatch" and fault["ctx"]["pattern"] == _AMOUNT
        reason = f"{where}: {_AMOUNT_WORDS if amount else fault_words(fault)}"
    except yaml.MarkedYAMLError as error:
        line = "" if error.problem_mark is None else f"line {error.problem_mark.line + 1}: "
        reason = f"{line}{error.problem}"
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0]
    raise WorkbenchError(
        "config-invalid",
        f"The settings in {path} cannot be used: {reason}.",
        "Correct the file or delete it; `docs/reference/settings.md` has its keys.",
    )
