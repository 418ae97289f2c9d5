"""A chat on a terminal: answers as they come, alone or side by side."""

import asyncio
import contextlib
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from rich.live import Live
from rich.table import Table
from rich.text import Text

from peft_daemon.cli.output import err, out, show_error
from peft_daemon.serving.client import Answered, Delta, stream_chat
from peft_schemas.base import Word
from peft_schemas.chat import ChatMessage
from peft_schemas.errors import WorkbenchError


@dataclass(frozen=True)
class Asked:
    """Whom to ask, and how."""

    models: tuple[str, ...]
    """One model, or base and adapter to be compared."""

    max_tokens: int
    temperature: float
    seed: int
    python: str


class Answer(Word):
    """One answer, as `--json` prints it."""

    model: str
    text: str
    finish_reason: Literal["stop", "length", "tool_calls"]
    prompt_tokens: int
    completion_tokens: int
    first_token_seconds: float | None
    tokens_per_second: float | None


class Comparison(Word):
    """Two answers to the same question, as `--compare --json` prints them."""

    base: Answer
    adapter: Answer


def ask(asked: Asked, messages: list[ChatMessage], *, silent: bool) -> Answer:
    """Ask one model and print its answer as it comes, unless `silent`."""
    if silent:
        return asyncio.run(_answer(asked, asked.models[0], messages))
    with err.status("asking") as status:

        def show(text: str) -> None:
            status.stop()
            _write(text)

        answer = asyncio.run(_answer(asked, asked.models[0], messages, show, status.update))
    _write("\n")
    err.print(_measures(answer), style="dim", markup=False)
    return answer


def compare(asked: Asked, messages: list[list[ChatMessage]], *, silent: bool) -> Comparison:
    """Ask base and adapter, each in its own conversation, and show the answers side by side, unless `silent`."""
    answers = asyncio.run(_answer_both(asked, messages, live=out.is_terminal and not silent))
    if not silent:
        if not out.is_terminal:
            for answer in answers:
                out.print(f"--- {answer.model}\n{answer.text}", markup=False)
        for answer in answers:
            err.print(f"{answer.model}: {_measures(answer)}", style="dim", markup=False)
    return Comparison(base=answers[0], adapter=answers[1])


_COMMANDS = "/reset forgets the conversation, /exit leaves."
_COMMAND = re.compile("/[a-z]+")
"""One word after a slash. A model would answer it with whatever comes to its mind."""


class Conversation:
    """Questions and answers until the user leaves. Each model keeps a history of its own answers."""

    def __init__(self, asked: Asked, system: str | None) -> None:
        """Start with no history but the system message."""
        self._asked = asked
        self._start = [ChatMessage(role="system", content=system)] if system else []
        self._histories = [list(self._start) for _ in asked.models]

    def run(self) -> None:
        """Ask for questions until /exit or the end of input. Ctrl-C ends an answer; between answers, the chat."""
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401  (gives the prompt its line editing)
        out.print(f"Chatting with {' and '.join(self._asked.models)}.", style="dim", markup=False)
        out.print(_COMMANDS, style="dim", markup=False)
        while True:
            try:
                question = input("> ").strip()
            except EOFError:
                return
            if question == "/exit":
                return
            if question == "/reset":
                self._histories = [list(self._start) for _ in self._asked.models]
                out.print("forgotten", style="dim", markup=False)
            elif _COMMAND.fullmatch(question):
                out.print(f"There is no {question}: {_COMMANDS}", style="dim", markup=False)
            elif question:
                self._turn(question)

    def _turn(self, question: str) -> None:
        asking = [[*history, ChatMessage(role="user", content=question)] for history in self._histories]
        try:
            if len(asking) == 1:
                answers = [ask(self._asked, asking[0], silent=False)]
            else:
                comparison = compare(self._asked, asking, silent=False)
                answers = [comparison.base, comparison.adapter]
        except KeyboardInterrupt:
            err.print("\nstopped", style="dim", markup=False)
            return
        except WorkbenchError as error:
            show_error(error.report())
            return
        self._histories = [
            [*history, ChatMessage(role="assistant", content=answer.text)]
            for history, answer in zip(asking, answers, strict=True)
        ]


def _nothing(_: str) -> None:
    pass


async def _answer(
    asked: Asked,
    model: str,
    messages: list[ChatMessage],
    show: Callable[[str], None] = _nothing,
    progress: Callable[[str], None] = _nothing,
) -> Answer:
    text = ""
    stream = stream_chat(
        model,
        messages,
        max_tokens=asked.max_tokens,
        temperature=asked.temperature,
        seed=asked.seed,
        python=asked.python,
        progress=progress,
    )
    end: Answered | None = None
    async with contextlib.aclosing(stream):
        async for event in stream:
            if isinstance(event, Delta):
                text += event.text
                show(event.text)
            else:
                end = event
    if end is None:
        raise WorkbenchError("serve-failed", "The answer came without its end.", "Ask again.")
    return Answer(
        model=model,
        text=text,
        finish_reason=end.finish_reason,
        prompt_tokens=end.prompt_tokens,
        completion_tokens=end.completion_tokens,
        first_token_seconds=end.first_token_seconds,
        tokens_per_second=end.tokens_per_second,
    )


async def _answer_both(asked: Asked, messages: list[list[ChatMessage]], *, live: bool) -> list[Answer]:
    columns = [Text() for _ in asked.models]
    table = Table(expand=True, show_lines=False, pad_edge=False)
    for model in asked.models:
        table.add_column(model, ratio=1, overflow="fold")
    table.add_row(*columns)

    def show_in(column: Text) -> Callable[[str], None]:
        def show(text: str) -> None:
            column.append(text)

        return show

    with Live(table, console=out, refresh_per_second=12) if live else contextlib.nullcontext():
        return await asyncio.gather(
            *(
                _answer(asked, model, history, show_in(column))
                for model, history, column in zip(asked.models, messages, columns, strict=True)
            )
        )


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _measures(answer: Answer) -> str:
    parts = [f"{answer.completion_tokens} tokens"]
    if answer.tokens_per_second is not None:
        parts.append(f"{answer.tokens_per_second:.0f} tokens/s")
    if answer.first_token_seconds is not None:
        parts.append(f"first after {answer.first_token_seconds:.2f} s")
    if answer.finish_reason == "length":
        parts.append("cut at the limit")
    return ", ".join(parts)
