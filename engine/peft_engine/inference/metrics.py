"""What the inference process has done since its start, in numbers that only rise."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Total:
    """How often something was measured, and the sum of it."""

    count: int = 0
    sum: float = 0.0

    def add(self, value: float) -> None:
        """Count one measurement."""
        self.count += 1
        self.sum += value


@dataclass
class Metrics:
    """Written by the computing thread, but for `errors`, whose refusals the event loop counts; read by anyone."""

    requests: Counter[str] = field(default_factory=Counter)
    """Requests that ended, by the id of their model, whatever way they ended."""

    errors: Counter[str] = field(default_factory=Counter)
    """Requests that failed, by code; `overloaded` for those that were refused at the door."""

    cancelled: int = 0
    """Requests that their client gave up, once their computation had begun."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    """Of the prompt tokens, those whose K/V were there already."""

    completion_tokens: int = 0
    """Tokens generated, those of answers that were given up included."""

    embedded_tokens: int = 0
    queued: Total = field(default_factory=Total)
    """Seconds from arrival to the start of the computation."""

    first_token: Total = field(default_factory=Total)
    """Seconds from arrival to the first token, of complete answers."""

    generation: Total = field(default_factory=Total)
    """Seconds from the first token to the last, of complete answers."""

    generation_tokens: int = 0
    """Tokens after the first of complete answers; divided by `generation.sum` the mean speed of one answer."""

    speeds: dict[str, float] = field(default_factory=dict)
    """Tokens a second of the last complete answer of more than one token, by the id of its model."""

    loads: Total = field(default_factory=Total)
    """Bases loaded, and the seconds that it took."""

    unloads: int = 0
    """Bases whose memory was freed."""

    switches: int = 0
    """Times that another model became the default."""

    def count_failure(self, model: str, code: str) -> None:
        """Count a request that failed."""
        self.requests[model] += 1
        self.errors[code] += 1
