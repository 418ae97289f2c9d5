"""One answer of a chat while it is made: text for people and calls of functions."""

import secrets
import string

from peft_engine.inference.contract import Delta, TokenLogprob
from peft_engine.inference.http.chat_shapes import (
    CalledFunction,
    ChatChoice,
    ChatChunkChoice,
    ChatDelta,
    ChatMessage,
    ToolCall,
    ToolCallDelta,
)
from peft_engine.inference.http.logprobs import chat_logprobs
from peft_engine.inference.http.text_shapes import FinishReason
from peft_engine.inference.job import Finished
from peft_engine.inference.tools.reader import CallArguments, CallBegun, CallReader, Part, Said

_ID_LETTERS = string.ascii_letters + string.digits
_ID_LENGTH = 9
"""Templates of Mistral's models refuse the id of a call that is longer or shorter."""


class Choice:
    """What is known of an answer so far."""

    def __init__(self, index: int, reader: CallReader | None, *, logprobs: bool) -> None:
        """Begin an empty answer.

        Args:
            index: Its place among those of the request.
            reader: Finds the calls in what the model writes; None where there can be none.
            logprobs: Whether tokens are reported.
        """
        self._index = index
        self._reader = reader
        self._logprobs: list[TokenLogprob] | None = [] if logprobs else None
        self._text: list[str] = []
        self._calls: list[tuple[str, str, list[str]]] = []

    def begin(self) -> ChatChunkChoice:
        """Return what a stream says of it first."""
        return self._chunk(ChatDelta(role="assistant", content=""), ())

    def more(self, delta: Delta) -> list[ChatChunkChoice]:
        """Take in what the engine made, and return what a stream says of it."""
        if self._logprobs is not None:
            self._logprobs += delta.logprobs
        parts: list[Part] = [Said(delta.text)] if self._reader is None else self._reader.feed(delta.text)
        return self._said(parts, delta.logprobs)

    def end(self, finished: Finished) -> list[ChatChunkChoice]:
        """Take in that it is complete, and return what a stream says last of it."""
        rest = [] if self._reader is None else self._said(self._reader.end(), ())
        return [*rest, self._chunk(ChatDelta(), (), self._reason(finished))]

    def whole(self, finished: Finished) -> ChatChoice:
        """Return the answer, after its end."""
        content = "".join(self._text)
        message = ChatMessage(role="assistant", content=content or (None if self._calls else ""), refusal=None)
        if self._calls:
            calls = [
                ToolCall(id=call, type="function", function=CalledFunction(name=name, arguments="".join(pieces)))
                for call, name, pieces in self._calls
            ]
            message = message.model_copy(update={"tool_calls": calls})
        return ChatChoice(
            index=self._index,
            message=message,
            logprobs=None if self._logprobs is None else chat_logprobs(self._logprobs),
            finish_reason=self._reason(finished),
        )

    def _reason(self, finished: Finished) -> FinishReason:
        return "tool_calls" if self._calls and finished.reason == "stop" else finished.reason

    def _said(self, parts: list[Part], logprobs: tuple[TokenLogprob, ...]) -> list[ChatChunkChoice]:
        deltas = [self._delta(part) for part in parts]
        if not deltas and logprobs:
            # The text of these tokens is not certain yet; what is known of them is.
            deltas = [ChatDelta(content="")]
        return [self._chunk(delta, logprobs if number == 0 else ()) for number, delta in enumerate(deltas)]

    def _delta(self, part: Part) -> ChatDelta:
        match part:
            case Said(text):
                self._text.append(text)
                return ChatDelta(content=text)
            case CallBegun(index, name):
                call = "".join(secrets.choice(_ID_LETTERS) for _ in range(_ID_LENGTH))
                self._calls.append((call, name, []))
                function = CalledFunction(name=name, arguments="")
                return ChatDelta(tool_calls=[ToolCallDelta(index=index, id=call, type="function", function=function)])
            case CallArguments(index, text):
                self._calls[index][2].append(text)
                return ChatDelta(tool_calls=[ToolCallDelta(index=index, function=CalledFunction(arguments=text))])

    def _chunk(
        self, delta: ChatDelta, logprobs: tuple[TokenLogprob, ...], reason: FinishReason | None = None
    ) -> ChatChunkChoice:
        reported = chat_logprobs(logprobs) if self._logprobs is not None and logprobs else None
        return ChatChunkChoice(index=self._index, delta=delta, logprobs=reported, finish_reason=reason)
