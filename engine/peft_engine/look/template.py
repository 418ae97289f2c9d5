"""What a chat template's file holds."""

import re
from importlib import import_module
from pathlib import Path

from peft_engine.facts import TemplateFact
from peft_engine.models.regular import stat_file
from peft_engine.models.tokenizer_files import has_generation_markers

_LARGEST = 2**20
"""Bytes. The longest templates known have a hundredth of it."""

_COMMENT = re.compile(r"\{#.*?#\}", re.DOTALL)
_SPECIAL = re.compile(r"<[|｜][A-Za-z0-9_.▁-]{1,64}[|｜]>|<(?:start|end)_of_\w{1,32}>")  # noqa: RUF001
"""Tokens whose form says that they are special. Bare words such as `<think>` may be plain text."""


def describe_template(path: Path) -> TemplateFact | None:
    """Return what a template's file holds, None when it is too long to be one.

    Raises:
        OSError: The file cannot be read, or is none.
    """
    if stat_file(path).st_size > _LARGEST:
        return None
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return TemplateFact(problem=f"{path.name} is not UTF-8 text.")
    written = _COMMENT.sub("", text)
    return TemplateFact(
        problem=_problem(path.name, text),
        special_tokens=frozenset(_SPECIAL.findall(written)),
        has_generation_markers=has_generation_markers(written),
    )


def _problem(name: str, text: str) -> str | None:
    """Return what keeps a text from being a template, None when nothing does or Jinja is not installed."""
    try:
        jinja, chat_template = import_module("jinja2"), import_module("peft_engine.chat_template")
    except ImportError:
        return None
    try:
        chat_template.make_environment().parse(text)
    except jinja.TemplateSyntaxError as error:
        return f"{name} is no chat template: {str(error.message).rstrip('.')} (line {error.lineno})."
    except RecursionError:
        return f"{name} is nested too deeply."
    return None
