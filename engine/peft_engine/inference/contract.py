"""What an engine is: a resident base that advances open sequences step by step.

The scheduler drives it from one thread: `open` sequences, `step` all of them together, `close` each. An engine that
computes one sequence at a time says so by `slots`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

FinishReason = Literal["stop", "length"]
Message = dict[str, str]
"""`role` and `content`, as chat templates read them."""


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen."""

    temperature: float
    """0 always takes the most likely token."""

    top_p: float
    """Only the most likely tokens that together have this probability are considered."""

    seed: int
    """Of the random choice; equal seeds give equal answers."""


@dataclass(frozen=True)
class AdapterUse:
    """An adapter and how strongly it is applied."""

    path: Path
    scale: float = 1.0


@dataclass(frozen=True)
class GenerationRequest:
    """A conversation to be continued."""

    messages: tuple[Message, ...]
    adapter: AdapterUse | None
    sampling: Sampling
    max_tokens: int | None
    """None for as many as the context holds."""

    stop: tuple[str, ...] = ()
    """Texts before which the answer ends."""


class Sequence(Protocol):
    """One answer in the making."""

    @property
    def prompt_tokens(self) -> int:
        """Tokens of the rendered conversation."""

    @property
    def cached_tokens(self) -> int:
        """Prompt tokens whose K/V were there already."""

    @property
    def completion_tokens(self) -> int:
        """Tokens generated so far, without the one that ends the answer."""

    @property
    def finish_reason(self) -> FinishReason | None:
        """Why the answer ended, None while it goes on."""

    def take_text(self) -> str:
        """Return the text that became certain since the last call."""

    def close(self) -> None:
        """Give the answer up, finished or not, and free its slot."""


class Engine(Protocol):
    """A base in memory."""

    @property
    def slots(self) -> int:
        """How many sequences can be open at once."""

    def open(self, request: GenerationRequest) -> Sequence:
        """Prepare an answer: render and tokenise the conversation, load the adapter, find what K/V can be reused.

        Raises:
            WorkbenchError: The conversation does not fit the context (`context-exceeded`), the adapter is gone or does
                not fit the base, or the template refuses the conversation.
        """

    def step(self) -> None:
        """Advance each open sequence by a block of its prompt or by one token.

        Raises:
            WorkbenchError: The computation failed. The engine is no longer usable.
        """

    def unload(self) -> None:
        """Free the memory. Nothing may be called afterwards."""
