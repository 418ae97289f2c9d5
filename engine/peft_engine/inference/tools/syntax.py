"""The ways in which families of models write a call, as `profiles/peft_profiles/tools.yaml` has them."""

import re
from functools import cache
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from peft_engine.profiles import read_data
from peft_schemas.base import Word


class CallSyntax(Word):
    """How one family writes a call."""

    recognised_by: Annotated[list[str], Field(min_length=1)]
    """A chat template that has one of these is of this family."""

    unless: list[str]
    """A chat template that has one of these is not, whatever else it has."""

    open: Annotated[str, Field(min_length=1)]
    """Stands before a call."""

    close: str
    """Stands behind a call; may be empty."""

    bare: bool
    """Whether an answer that begins with a call is one without `open` too."""

    arguments: Literal["arguments", "parameters"]
    """The key of the arguments beside `name`."""


class Instructions(Word):
    """What a model is asked to do with its functions."""

    auto: str
    required: str
    named: str
    """Has the place `{name}`."""


class GenericTools(Word):
    """How functions are explained to a model whose chat template does not know them."""

    syntax: str
    """The name of the syntax that `declaration` explains."""

    declaration: str
    """Has the places `{declarations}` and `{instruction}`."""

    instructions: Instructions
    result_open: str
    """Stands before what a function returned."""

    result_close: str


class ToolData(Word):
    """The content of `tools.yaml`."""

    syntaxes: Annotated[dict[str, CallSyntax], Field(min_length=1)]
    generic: GenericTools

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        syntax = self.syntaxes.get(self.generic.syntax)
        if syntax is None:
            raise ValueError(f"generic.syntax: there is no {self.generic.syntax}")
        text = self.generic.declaration.format(declarations="<1>", instruction="<2>")
        for part in ("<1>", "<2>", syntax.open, syntax.close, f'"{syntax.arguments}"'):
            if part not in text:
                raise ValueError(f"generic.declaration: {part} is missing")
        if "{name}" not in self.generic.instructions.named:
            raise ValueError("generic.instructions.named: {name} is missing")
        return self


@cache
def tool_data() -> ToolData:
    """Return the content of `tools.yaml`."""
    return ToolData.model_validate(read_data("tools.yaml"))


def generic_syntax() -> CallSyntax:
    """Return the syntax that is explained to models whose template knows none."""
    data = tool_data()
    return data.syntaxes[data.generic.syntax]


def syntax_of(template: str | None) -> CallSyntax | None:
    """Return how the models of a chat template write calls; None if it knows no functions or writes them otherwise."""
    if template is None or re.search(r"\btools\b", template) is None:
        return None
    for syntax in tool_data().syntaxes.values():
        if any(mark in template for mark in syntax.unless):
            continue
        if any(mark in template for mark in syntax.recognised_by):
            return syntax
    return None
