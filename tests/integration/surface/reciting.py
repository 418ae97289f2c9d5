"""An engine that recites: what a surface of the API shows is the same with it as with a model, only sooner."""

import hashlib
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from peft_engine.inference.contract import (
    AdapterUse,
    Capability,
    Delta,
    Embedding,
    FinishReason,
    GenerationRequest,
    TokenLogprob,
)
from peft_schemas.errors import WorkbenchError

VERSE = ["Whose", "woods", "these", "are", "I", "think", "I", "know.", ""]
VOCABULARY = 1000


@dataclass
class Recital:
    """One answer: a word a step."""

    request: GenerationRequest
    prompt_tokens: int = 4
    cached_tokens: int = 1
    completion_tokens: int = 0
    finish_reason: FinishReason | None = None
    failure: None = None
    closed: bool = False
    _new: list[str] = field(default_factory=list)

    def advance(self) -> None:
        constrained = self.request.constraint is not None
        words = ["{}"] if constrained else [word + " " for word in VERSE]
        if self.finish_reason is None:
            self._new.append(words[self.completion_tokens % len(words)])
            self.completion_tokens += 1
            if self.completion_tokens == len(words):
                self.finish_reason = "stop"
            elif self.completion_tokens == self.request.max_tokens:
                self.finish_reason = "length"

    def take(self) -> Delta:
        words, self._new = self._new, []
        if self.request.top_logprobs is None:
            return Delta("".join(words))
        return Delta("".join(words), tuple(TokenLogprob(1, word.encode(), -0.5) for word in words))

    def close(self) -> None:
        self.closed = True


class RecitingEngine:
    """Holds nothing and can do everything."""

    slots = 4
    context_length = 8192
    capabilities: frozenset[Capability] = frozenset({"chat", "tools", "infill", "embeddings"})
    memory_bytes = 123
    kept_bytes = 23

    def __init__(self) -> None:
        self.gate = threading.Event()
        """Steps happen while it is set."""
        self.gate.set()
        self._open: list[Recital] = []

    def forget_kept(self, size: int) -> None:
        pass

    def ready(self, request: GenerationRequest, when_ready: Callable[[], None]) -> bool:
        return True

    def open(self, request: GenerationRequest) -> Recital:
        recital = Recital(request)
        self._open.append(recital)
        return recital

    def step(self) -> None:
        self.gate.wait(60)
        self._open = [recital for recital in self._open if not recital.closed]
        for recital in self._open:
            recital.advance()

    def embed(self, texts: Sequence[str | Sequence[int]], adapters: tuple[AdapterUse, ...]) -> list[Embedding]:
        return [_embedding(text) for text in texts]

    def tokenize(self, text: str) -> list[int]:
        return list(text.encode())

    def unload(self) -> None:
        pass


def _embedding(text: str | Sequence[int]) -> Embedding:
    if not isinstance(text, str) and any(token >= VOCABULARY for token in text):
        raise WorkbenchError("not-supported", "A token is not of this vocabulary.", "Tokenise with this model.")
    raw = hashlib.sha256(repr(text).encode()).digest()[:8]
    length = math.sqrt(sum(byte * byte for byte in raw))
    return Embedding([byte / length for byte in raw], len(text))
