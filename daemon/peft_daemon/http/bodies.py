"""What requests carry. A field that is unknown is refused, so that no misspelt wish is dropped in silence."""

from typing import Annotated

from pydantic import Field

from peft_schemas.base import Word
from peft_schemas.events import RecoveryAction
from peft_schemas.runs import QueueMove


class NoBody(Word):
    """Nothing to say: an empty body, or `{}`."""


class StartBody(Word):
    """`POST /runs`."""

    path: Annotated[str, Field(pattern=r"^/")]
    """The whole path of a `.peft.yaml`; its content on disk is what runs."""


class StopBody(Word):
    """`POST /runs/{id}/stop`."""

    force: bool = False
    """End the worker at once; only its checkpoints stay."""


class CancelBody(Word):
    """`POST /runs/{id}/cancel`."""

    remove: bool = False
    """Remove the checkpoints too."""


class ResumeBody(Word):
    """`POST /runs/{id}/resume`."""

    accept_changes: bool = False
    """Go on although the config, the data or the base changed since."""


class MoveBody(Word):
    """`POST /runs/{id}/move`."""

    to: QueueMove


class RecoverBody(Word):
    """`POST /runs/{id}/recover`."""

    action: RecoveryAction
    anomaly: str | None = None
    """About which anomaly; None for the newest that proposes the action."""

    undoes: str | None = None
    """For `undo`: the recovery to take back; None for the newest."""
