"""What can be asked of the world, and the form of the answers, as they go over the pipe."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from peft_engine.facts import DatasetFact, HardwareFact, ModelFact, TemplateFact
from peft_engine.files import Stamp
from peft_schemas.config import ColumnsConfig, DatasetFormat


@dataclass(frozen=True)
class AskModel:
    """What do the files of a base model say?"""

    base: str
    revision: str | None
    folder: str
    """What a relative path is relative to."""

    kind: Literal["model"] = "model"


@dataclass(frozen=True)
class AskDataset:
    """What does a dataset's file hold?"""

    path: str
    """Absolute."""

    format: DatasetFormat
    columns: ColumnsConfig
    kind: Literal["dataset"] = "dataset"


@dataclass(frozen=True)
class AskTokens:
    """How many tokens of the model are the records of the dataset?"""

    model: AskModel
    dataset: AskDataset
    template: str | None = None
    """The file that writes conversations, absolute; None for the model's own."""

    kind: Literal["tokens"] = "tokens"


@dataclass(frozen=True)
class AskTemplate:
    """What does a chat template's file hold?"""

    path: str
    """Absolute."""

    kind: Literal["template"] = "template"


@dataclass(frozen=True)
class AskHardware:
    """What would a local run compute on?"""

    python: str
    """The interpreter that trains, whose packages are meant."""

    kind: Literal["hardware"] = "hardware"


Question = Annotated[AskModel | AskDataset | AskTokens | AskTemplate | AskHardware, Field(discriminator="kind")]


@dataclass(frozen=True)
class TokenLengths:
    """Tokens of a record as the training writes it."""

    p50: int
    p99: int


@dataclass(frozen=True)
class Answer:
    """What was found out."""

    model: ModelFact | None = None
    dataset: DatasetFact | None = None
    tokens: TokenLengths | None = None
    template: TemplateFact | None = None
    hardware: HardwareFact | None = None
    stamps: dict[str, Stamp | None] = field(default_factory=dict)
    """The files that the answer rests on as they were just before; None for one that is not there. While they stay so,
    the answer stays the same."""
