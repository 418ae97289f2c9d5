"""Asking an engine, step by step, as the scheduler does."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from peft_engine.inference.contract import (
    AdapterUse,
    Conversation,
    Engine,
    FinishReason,
    GenerationRequest,
    OpenSequence,
    Prompt,
    Sampling,
    Text,
    TokenLogprob,
    Tokens,
)

GREEDY = Sampling(temperature=0, top_p=1, seed=0)
LONG = "One two three four five six seven eight nine ten. " * 14
"""More than two blocks of a prompt, in every engine."""


def request(
    prompt: Prompt | str, *uses: AdapterUse | Path, max_tokens: int | None = 12, **rest: Any
) -> GenerationRequest:
    """Return a request that takes the most likely tokens unless told otherwise."""
    return GenerationRequest(
        Text(prompt) if isinstance(prompt, str) else prompt,
        tuple(use if isinstance(use, AdapterUse) else AdapterUse(use) for use in uses),
        rest.pop("sampling", GREEDY),
        max_tokens,
        **rest,
    )


def said(*texts: str) -> Conversation:
    """Return a conversation in which user and assistant take turns."""
    roles = ("user", "assistant")
    return Conversation(tuple({"role": roles[turn % 2], "content": text} for turn, text in enumerate(texts)))


@dataclass
class Answer:
    """What came of a request."""

    text: str = ""
    pieces: list[str] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    finish_reason: FinishReason | None = None
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0

    def add(self, sequence: OpenSequence) -> None:
        """Take what is new of it."""
        delta = sequence.take()
        self.text += delta.text
        self.pieces += [delta.text] if delta.text else []
        self.logprobs += delta.logprobs
        self.finish_reason = sequence.finish_reason
        self.prompt_tokens = sequence.prompt_tokens
        self.cached_tokens = sequence.cached_tokens
        self.completion_tokens = sequence.completion_tokens

    @property
    def ids(self) -> list[int]:
        """The tokens, where log-probabilities were asked for."""
        return [token.id for token in self.logprobs]


def answer(engine: Engine, *requests: GenerationRequest) -> list[Answer]:
    """Return the answers to requests that are open together."""
    sequences = [engine.open(one) for one in requests]
    try:
        return finish(engine, sequences)
    finally:
        for sequence in sequences:
            sequence.close()


def finish(engine: Engine, sequences: Sequence[OpenSequence]) -> list[Answer]:
    """Step until all sequences have ended."""
    answers = [Answer() for _ in sequences]
    for _ in range(5000):
        for one, sequence in zip(answers, sequences, strict=True):
            one.add(sequence)
        if all(one.finish_reason for one in answers):
            return answers
        engine.step()
    raise AssertionError("an answer has no end")


def first_logprobs(engine: Engine, prompt: Sequence[int], *uses: AdapterUse | Path, top: int = 20) -> dict[int, float]:
    """Return how likely the most likely tokens after a prompt are."""
    (one,) = answer(engine, request(Tokens(tuple(prompt)), *uses, max_tokens=1, top_logprobs=top))
    return {token.id: token.logprob for token in one.logprobs[0].top}
