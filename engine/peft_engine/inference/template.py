"""Rendering a model's chat template, which is a program from an untrusted file.

`render` runs it in Jinja's immutable sandbox. The sandbox keeps it from Python's internals but not from endless loops
or from a gigabyte of text, so this module is also the program of the child process that `template_process` watches:
`python -m peft_engine.inference.template` reads one JSON request a line and answers each by one line.
"""

import json
import sys
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, NoReturn

from jinja2 import TemplateError
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

MAX_CHARACTERS = 8 * 2**20
"""The longest prompt. No context holds a tenth of it."""

_MAX_MEMORY = 2**30
"""Bytes of address space that the child may use."""


@dataclass(frozen=True)
class TemplateRequest:
    """A template and what it is given."""

    template: str
    messages: list[dict[str, str]]
    bos_token: str
    eos_token: str


class TemplateRefused(Exception):
    """The template is faulty, or refuses this conversation; the message says why."""


def render(request: TemplateRequest) -> str:
    """Return the prompt.

    Raises:
        TemplateRefused: The template is faulty, breaks out of bounds, or refuses the conversation.
    """
    # The options and helpers are those of transformers, which templates are written for.
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _refuse
    environment.globals["strftime_now"] = lambda form: datetime.now().astimezone().strftime(form)
    try:
        parts: list[str] = []
        length = 0
        for part in environment.from_string(request.template).generate(
            messages=request.messages,
            add_generation_prompt=True,
            bos_token=request.bos_token,
            eos_token=request.eos_token,
            tools=None,
        ):
            parts.append(part)
            length += len(part)
            if length > MAX_CHARACTERS:
                raise TemplateRefused("it makes a prompt without end")
        return "".join(parts)
    except TemplateError as error:
        raise TemplateRefused(str(error.message or type(error).__name__)) from error
    except (ArithmeticError, LookupError, MemoryError, RecursionError, TypeError, ValueError, AttributeError) as error:
        # A template is a program, so it can fail like one.
        raise TemplateRefused(f"{type(error).__name__}: {error}") from error


def _refuse(message: str) -> NoReturn:
    raise TemplateRefused(str(message))


def _to_json(value: Any, indent: int | None = None) -> str:
    # Jinja's own filter escapes for HTML, which models were not trained on.
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _serve() -> None:
    _limit_memory()
    for line in sys.stdin:
        try:
            answer = {"text": render(TemplateRequest(**json.loads(line)))}
        except TemplateRefused as refused:
            answer = {"refused": str(refused)[:500]}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def to_line(request: TemplateRequest) -> bytes:
    """Return a request as the child reads it."""
    return json.dumps(asdict(request)).encode() + b"\n"


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (_MAX_MEMORY, _MAX_MEMORY))


if __name__ == "__main__":
    _serve()
