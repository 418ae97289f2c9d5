"""How the functions of a request are brought to a model, and its calls out of the answer.

A model whose chat template knows functions is told of them by it and writes calls as it was trained to. Every other
model gets our own explanation, and a grammar that leaves it plain text or valid calls. Either way, a call that is asked
for is forced by a grammar.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from peft_engine.inference.contract import Constraint, Conversation, Message
from peft_engine.inference.tools.declaration import ToolUse
from peft_engine.inference.tools.grammar import calls_or_text, forced_calls, json_constraint
from peft_engine.inference.tools.prompt import folded, with_declarations
from peft_engine.inference.tools.reader import CallReader
from peft_engine.inference.tools.syntax import CallSyntax, generic_syntax, syntax_of


@dataclass(frozen=True)
class Plan:
    """What the engine is asked for, and how its answer is read."""

    conversation: Conversation
    constraint: Constraint | None
    syntax: CallSyntax | None = None
    """How calls are written; None where there are none to be read."""

    names: tuple[str, ...] = ()
    """The functions that may be called."""

    most: int | None = None
    """How many calls the answer may make; None for any number."""

    def reader(self) -> CallReader | None:
        """Return what reads one answer; None if all of it is text."""
        return None if self.syntax is None else CallReader(self.syntax, self.names, most=self.most)


def plan(
    messages: Sequence[Message], use: ToolUse | None, *, template: str | None, schema: Mapping[str, Any] | None
) -> Plan:
    """Decide how a conversation is held.

    Args:
        messages: With calls and results of functions in OpenAI's shape, their arguments as objects.
        use: The functions that may be called now; None for none.
        template: The model's chat template, if it has one.
        schema: What an answer in text must be a JSON value of; None for any text.
    """
    own = syntax_of(template)
    if use is None:
        known = messages if own is not None else folded(messages)
        return Plan(Conversation(tuple(known)), None if schema is None else json_constraint(schema))
    most = None if use.parallel else 1
    names = tuple(tool.name for tool in use.tools)
    # What only a grammar can promise of a free choice needs marks that are letters, which are those of our own syntax.
    promised = schema is not None or any(tool.strict for tool in use.tools)
    if own is not None and not (use.choice == "auto" and promised):
        conversation = Conversation(tuple(messages), tools=tuple(tool.declaration() for tool in use.tools))
        if use.choice == "auto":
            return Plan(conversation, None, own, names, most)
        unmarked = own.model_copy(update={"bare": True})
        return Plan(conversation, forced_calls(use, own, marked=False), unmarked, names, most)
    syntax = generic_syntax()
    conversation = Conversation(with_declarations(folded(messages), use))
    if use.choice == "auto":
        return Plan(conversation, calls_or_text(use, syntax, schema), syntax, names, most)
    return Plan(conversation, forced_calls(use, syntax, marked=True), syntax, names, most)
