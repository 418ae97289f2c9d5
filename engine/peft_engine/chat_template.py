"""Rendering a model's chat template, which is a program from an untrusted file.

It runs in Jinja's immutable sandbox, which keeps it from Python's internals but not from endless loops or from a
gigabyte of text: whoever renders does it in a process that may be ended. Needs the package jinja2.
"""

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NoReturn

from jinja2 import TemplateError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

MAX_CHARACTERS = 8 * 2**20
"""The longest prompt. No context holds a tenth of it."""


@dataclass(frozen=True)
class TemplateRequest:
    """A template and what it is given."""

    template: str
    messages: list[dict[str, Any]]
    bos_token: str
    eos_token: str
    asks_for_answer: bool = True
    """Whether the prompt ends where the assistant begins to speak."""

    tools: list[dict[str, Any]] = field(default_factory=list)
    """Function declarations in OpenAI's shape."""


class TemplateRefused(Exception):
    """The template is faulty, or refuses this conversation; the message says why."""


def render(request: TemplateRequest) -> str:
    """Return the prompt.

    Raises:
        TemplateRefused: The template is faulty, breaks out of bounds, or refuses the conversation.
    """
    environment = make_environment()
    try:
        parts: list[str] = []
        length = 0
        for part in environment.from_string(request.template).generate(
            messages=request.messages,
            add_generation_prompt=request.asks_for_answer,
            bos_token=request.bos_token,
            eos_token=request.eos_token,
            tools=request.tools or None,
        ):
            parts.append(part)
            length += len(part)
            if length > MAX_CHARACTERS:
                raise TemplateRefused("it makes a prompt without end")
        return "".join(parts)
    except TemplateError as error:
        raise TemplateRefused(str(error.message or type(error).__name__).rstrip(".")) from error
    except MemoryError as error:
        raise TemplateRefused("it needs too much memory") from error
    except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError, AttributeError) as error:
        # A template is a program, so it can fail like one.
        raise TemplateRefused(f"{type(error).__name__}: {error}".rstrip(".")) from error


def make_environment() -> ImmutableSandboxedEnvironment:
    """Return the environment that templates are written for: the options and helpers of transformers."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols, _Generation]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _refuse
    environment.globals["strftime_now"] = lambda form: datetime.now().astimezone().strftime(form)
    return environment


class _Generation(Extension):
    """Takes the block `{% generation %}`, which marks what the assistant says, for what stands in it."""

    tags = {"generation"}

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _refuse(message: str) -> NoReturn:
    raise TemplateRefused(str(message).rstrip("."))


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    # Jinja's own filter escapes for HTML, which models were not trained on.
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
