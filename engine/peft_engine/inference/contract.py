"""What an engine is: a resident base that advances open sequences step by step.

The scheduler drives it from one thread: `open` sequences, `step` all of them together, `close` each; `embed` and
`tokenize` between two steps. Every engine keeps the same promises, and one suite of tests holds all of them to it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from peft_schemas.errors import WorkbenchError

FinishReason = Literal["stop", "length"]
Capability = Literal["chat", "tools", "infill", "embeddings"]
"""What a base can do beside completing text: hold a conversation (it has a chat template), be told of tools by that
template, fill in the middle (its vocabulary has the tokens for it), and embed."""

Message = Mapping[str, Any]
"""`role`, `content` and what else a chat template reads, such as `tool_calls`."""


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen. Each default changes nothing."""

    temperature: float
    """0 always takes the most likely token."""

    top_p: float
    """Only the most likely tokens that together have this probability are considered."""

    seed: int
    """Of the random choice; equal seeds give equal answers."""

    top_k: int = 0
    """Only so many of the most likely tokens are considered; 0 for all."""

    min_p: float = 0.0
    """Only tokens at least this likely, relative to the most likely one, are considered."""

    frequency_penalty: float = 0.0
    """Subtracted from a token's logit for each time that the answer has it already."""

    presence_penalty: float = 0.0
    """Subtracted from a token's logit once the answer has it."""

    repetition_penalty: float = 1.0
    """Divides a positive and multiplies a negative logit of a token that prompt or answer has."""

    logit_bias: tuple[tuple[int, float], ...] = ()
    """Token ids and what is added to their logits."""


@dataclass(frozen=True)
class AdapterUse:
    """An adapter and how strongly it is applied."""

    path: Path
    """A GGUF file or a PEFT folder, whichever the engine loads."""

    scale: float = 1.0


@dataclass(frozen=True)
class Conversation:
    """Messages that the model's chat template turns into a prompt for the assistant's next turn."""

    messages: tuple[Message, ...]
    tools: tuple[Mapping[str, Any], ...] = ()
    """Function declarations in OpenAI's shape, for a template that knows tools."""

    template: str | None = None
    """A chat template, or the name of a prompt format, to use in place of the adapter's or the base's own."""


@dataclass(frozen=True)
class Text:
    """A prompt that is continued as it stands."""

    text: str


@dataclass(frozen=True)
class Tokens:
    """A prompt that is tokenised already."""

    ids: tuple[int, ...]


@dataclass(frozen=True)
class Infill:
    """A gap between two texts, for a model with `infill`."""

    prefix: str
    suffix: str


Prompt = Conversation | Text | Tokens | Infill


@dataclass(frozen=True)
class Constraint:
    """What the answer must look like, as llguidance reads it."""

    kind: Literal["json-schema", "regex", "lark"]
    text: str
    """A JSON Schema document, a regular expression, or a grammar in llguidance's Lark dialect."""


@dataclass(frozen=True)
class GenerationRequest:
    """A prompt to be continued."""

    prompt: Prompt
    adapters: tuple[AdapterUse, ...]
    """Applied together; none for the bare base. A scale of 0 is as good as none."""

    sampling: Sampling
    max_tokens: int | None
    """None for as many as the context holds."""

    stop: tuple[str, ...] = ()
    """Texts before which the answer ends."""

    constraint: Constraint | None = None
    top_logprobs: int | None = None
    """How many alternatives are reported with each token's log-probability; None for no log-probabilities at all."""


RequestPart = Literal["model", "prompt", "suffix", "json-schema", "regex", "lark", "logit_bias"]
"""What of a request can be at fault: the kinds of constraints among them."""


class PartRefused(WorkbenchError):
    """A part of a request cannot be honoured (`not-supported`)."""

    def __init__(self, part: RequestPart, message: str, remedy: str) -> None:
        """Say which part, what is wrong with it, and what to do."""
        super().__init__("not-supported", message, remedy)
        self.part: RequestPart = part


@dataclass(frozen=True)
class TokenLogprob:
    """A token of the answer and how likely it was before penalties, bias, constraint and temperature."""

    id: int
    bytes: bytes
    """Its text, which may be part of a character."""

    logprob: float
    """Natural logarithm of the probability."""

    top: tuple["TokenLogprob", ...] = ()
    """The most likely tokens at this place, most likely first."""


@dataclass(frozen=True)
class Delta:
    """More of an answer."""

    text: str = ""
    """What became certain: whole characters, nothing that may still turn out to begin a stop text."""

    logprobs: tuple[TokenLogprob, ...] = ()
    """Of the tokens behind the text, when they were asked for."""


@dataclass(frozen=True)
class Embedding:
    """A text as a point."""

    vector: Sequence[float]
    """The mean of the last hidden states, scaled to length 1."""

    tokens: int
    """Tokens of the text."""


class OpenSequence(Protocol):
    """One answer in the making."""

    @property
    def prompt_tokens(self) -> int:
        """Tokens of the prompt."""

    @property
    def cached_tokens(self) -> int:
        """Prompt tokens whose K/V were there already, or came from another answer until its turn."""

    @property
    def completion_tokens(self) -> int:
        """Tokens generated so far, without the one that ends the answer."""

    @property
    def finish_reason(self) -> FinishReason | None:
        """Why the answer ended, None while it goes on."""

    @property
    def failure(self) -> WorkbenchError | None:
        """Why this answer alone cannot go on, such as an adapter under which the model computes no numbers."""

    def take(self) -> Delta:
        """Return what became certain since the last call."""

    def close(self) -> None:
        """Give the answer up, finished or not, and free its slot."""


class Engine(Protocol):
    """A base in memory."""

    @property
    def slots(self) -> int:
        """How many sequences can be open at once, under whatever adapters."""

    @property
    def context_length(self) -> int:
        """Tokens that one sequence may have, prompt and answer together."""

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the base can do beside completing text."""

    @property
    def memory_bytes(self) -> int:
        """What the engine takes: weights, K/V and adapters in memory now, and what it keeps of earlier prompts."""

    @property
    def kept_bytes(self) -> int:
        """What of it only saves time, and goes first when memory is wanted."""

    def forget_kept(self, size: int) -> None:
        """Free so much of what only saves time, or all there is. Open sequences are not disturbed."""

    def ready(self, request: GenerationRequest, when_ready: Callable[[], None]) -> bool:
        """Tell whether a request can be opened without holding up open sequences for long.

        What it lacks is made by another thread from now on, which calls `when_ready` at its end. Opened nevertheless,
        the request waits for it.
        """

    def open(self, request: GenerationRequest) -> OpenSequence:
        """Prepare an answer: render and tokenise the prompt, load the adapters, find what K/V can be reused.

        Where all of it can, the answer has its first token already.

        The answer depends on the request alone: not on what was computed before or is computed beside it.

        Raises:
            WorkbenchError: The prompt does not fit the context (`context-exceeded`), an adapter is gone or does not fit
                the base (`adapter-missing`, `model-unreadable`), the template refuses the conversation, the constraint
                cannot be compiled, or the base cannot do what is asked (`not-supported`).
        """

    def step(self) -> None:
        """Advance open sequences: answers by one token each, and one of the prompts by a block.

        Those under the same adapters advance together. Those under others may have to wait for their turn, which comes
        after some steps; a step is short, so that a cancel is soon noticed.

        Raises:
            WorkbenchError: The computation failed. The engine is no longer usable.
        """

    def embed(self, texts: Sequence[str | Sequence[int]], adapters: tuple[AdapterUse, ...]) -> list[Embedding]:
        """Return the embedding of each text or token list. Open sequences are not disturbed.

        Raises:
            WorkbenchError: A text does not fit the context (`context-exceeded`), an adapter is gone or does not fit, or
                the base cannot embed (`not-supported`).
        """

    def tokenize(self, text: str) -> Sequence[int]:
        """Return the tokens of a text, as a `Text` prompt has them. Open sequences are not disturbed."""

    def unload(self) -> None:
        """Free the memory. Nothing may be called afterwards."""
