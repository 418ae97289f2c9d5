"""The items of an answer while the model writes them, and the events that tell of them."""

import secrets
from typing import Any
from uuid import uuid4

from peft_engine.inference.http.responses_shapes import (
    ItemStatus,
    OutputCall,
    OutputMessage,
    OutputText,
    ResponseEvent,
)
from peft_engine.inference.tools.reader import CallArguments, CallBegun, Part, Said

_CALL_ID_BYTES = 12


class Output:
    """Begins empty. Only the last item is ever open."""

    def __init__(self) -> None:
        """Begin with no item."""
        self.items: list[OutputMessage | OutputCall] = []
        self._open = False
        self._written: list[str] = []
        """Of the text, or of the arguments, of the open item."""

        self._numbered = 0

    def event(self, kind: Any, **fields: Any) -> ResponseEvent:
        """Return the next event of the stream."""
        event = ResponseEvent(type=kind, sequence_number=self._numbered, **fields)
        self._numbered += 1
        return event

    def add(self, part: Part) -> list[ResponseEvent]:
        """Take in what the model wrote."""
        match part:
            case Said(text) if text:
                begun = self._begin_message() if not self._is_open(OutputMessage) else []
                return [*begun, self._say(text)]
            case CallBegun(_, name):
                return self._begin_call(name)
            case CallArguments(_, text) if text:
                return [self._argue(text)]
        return []

    def end(self, status: ItemStatus) -> list[ResponseEvent]:
        """Take in that nothing follows. An answer that says nothing says an empty text."""
        begun = self._begin_message() if not self.items else []
        return [*begun, *self._close(status)]

    def _is_open(self, kind: type) -> bool:
        return self._open and isinstance(self.items[-1], kind)

    def _begin_message(self) -> list[ResponseEvent]:
        message = OutputMessage(id=f"msg_{uuid4().hex}", status="in_progress", content=[])
        closed = self._close("completed")
        added = self._push(message)
        return [*closed, added, self._of_part("response.content_part.added", part=OutputText(text=""))]

    def _begin_call(self, name: str) -> list[ResponseEvent]:
        call_id = f"call_{secrets.token_hex(_CALL_ID_BYTES)}"
        call = OutputCall(id=f"fc_{uuid4().hex}", call_id=call_id, name=name, arguments="", status="in_progress")
        return [*self._close("completed"), self._push(call)]

    def _push(self, item: OutputMessage | OutputCall) -> ResponseEvent:
        self.items.append(item)
        self._open = True
        return self.event("response.output_item.added", output_index=len(self.items) - 1, item=item)

    def _say(self, text: str) -> ResponseEvent:
        self._written.append(text)
        return self._of_part("response.output_text.delta", delta=text, logprobs=[])

    def _argue(self, text: str) -> ResponseEvent:
        self._written.append(text)
        return self._of_item("response.function_call_arguments.delta", delta=text)

    def _close(self, status: ItemStatus) -> list[ResponseEvent]:
        if not self._open:
            return []
        self._open = False
        item, written = self.items[-1], "".join(self._written)
        self._written = []
        if isinstance(item, OutputMessage):
            part = OutputText(text=written)
            item = item.model_copy(update={"status": status, "content": [part]})
            events = [
                self._of_part("response.output_text.done", text=written, logprobs=[]),
                self._of_part("response.content_part.done", part=part),
            ]
        else:
            item = item.model_copy(update={"status": status, "arguments": written})
            done = "response.function_call_arguments.done"
            events = [self._of_item(done, name=item.name, arguments=written)]
        self.items[-1] = item
        return [*events, self.event("response.output_item.done", output_index=len(self.items) - 1, item=item)]

    def _of_item(self, kind: str, **fields: Any) -> ResponseEvent:
        return self.event(kind, item_id=self.items[-1].id, output_index=len(self.items) - 1, **fields)

    def _of_part(self, kind: str, **fields: Any) -> ResponseEvent:
        return self._of_item(kind, content_index=0, **fields)
