"""The config language as data: every section and key with its type, bounds, default and meaning.

It is read off the pydantic models, which stay the only place where the language is defined. Checks, completion, hover
and the reference pages use this form because a model cannot be asked which keys another section has.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, lru_cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from peft_schemas.config import RunConfig

ScalarType = Literal["text", "integer", "number", "boolean", "list of texts"]


@dataclass(frozen=True)
class Bounds:
    """The numbers that a value may take; None where a side is open."""

    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None

    def contain(self, value: float) -> bool:
        """Tell whether a number lies within."""
        return (
            (self.ge is None or value >= self.ge)
            and (self.gt is None or value > self.gt)
            and (self.le is None or value <= self.le)
            and (self.lt is None or value < self.lt)
        )

    def __str__(self) -> str:
        """Say the bounds in words: `at least 1 and at most 1024`."""
        parts = [
            (self.ge, "at least"),
            (self.gt, "greater than"),
            (self.le, "at most"),
            (self.lt, "less than"),
        ]
        return " and ".join(f"{words} {number_text(value)}" for value, words in parts if value is not None)


@dataclass(frozen=True)
class Key:
    """One key of a section."""

    name: str
    description: str
    types: tuple[ScalarType, ...]
    """The kinds of value that it takes; empty for a section and for a list of sections."""

    section: "Section | None"
    """The keys below it, when it is a section or a list of sections."""

    is_list: bool
    """Whether it is a list of sections."""

    required: bool
    nullable: bool
    default: Any
    """None for a required key and for a section."""

    choices: tuple[str | int, ...]
    """The only values that it takes, when they are listed."""

    bounds: Bounds = Bounds()
    pattern: str | None = None
    min_length: int = 0
    """Characters of a text, or entries of a list."""

    examples: tuple[Any, ...] = ()
    is_cadence: bool = False
    """Whether it counts steps, whole from 1 on, or below 1 is a share of all steps."""


@dataclass(frozen=True)
class Section:
    """A mapping of the language. The root is one, too."""

    description: str
    keys: dict[str, Key] = field(default_factory=dict)


@cache
def language() -> Section:
    """Return the whole language."""
    return _section(RunConfig)


def walk(section: Section | None = None, path: str = "") -> Iterator[tuple[str, Key]]:
    """Yield every key with its dotted path, `[]` marking a list: `datasets[].path`."""
    for key in (section or language()).keys.values():
        here = f"{path}.{key.name}" if path else key.name
        yield here, key
        if key.section is not None:
            yield from walk(key.section, f"{here}[]" if key.is_list else here)


@lru_cache(maxsize=1024)
def key_at(path: tuple[str | int, ...]) -> Key | None:
    """Return the key at a path, None when the language has none there."""
    section: Section | None = language()
    key: Key | None = None
    for part in path:
        if isinstance(part, int):
            continue
        key = section.keys.get(part) if section is not None else None
        section = None if key is None else key.section
    return key


def section_at(path: tuple[str | int, ...]) -> Section | None:
    """Return the section at a path; for a list of sections, that of its entries."""
    if not path:
        return language()
    key = key_at(path)
    return None if key is None else key.section


def number_text(value: float) -> str:
    """Write a number as a person would: `4096`, `0.05`, `2.0e-4`."""
    if isinstance(value, int) or (value == int(value) and abs(value) < 1e15):
        return str(int(value))
    mantissa, _, exponent = repr(float(value)).partition("e")
    if exponent:
        return f"{mantissa if '.' in mantissa else mantissa + '.0'}e{int(exponent)}"
    if abs(value) < 1e-3:
        power = -len(mantissa.split(".")[1]) + len(mantissa.split(".")[1].lstrip("0")) - 1
        scaled = repr(round(value / 10**power, 12))
        return f"{scaled}e{power}"
    return mantissa


def _section(model: type[BaseModel]) -> Section:
    keys = {name: _key(name, info) for name, info in model.model_fields.items()}
    return Section((model.__doc__ or "").strip(), keys)


def _key(name: str, info: FieldInfo) -> Key:
    metadata, examples = list(info.metadata), list(info.examples or ())
    variants = []
    for variant in _variants(info.annotation):
        # `Annotated[int, Field(ge=1)] | None` carries its bounds inside the union.
        annotation = variant
        if hasattr(variant, "__metadata__"):
            annotation = variant.__origin__
            metadata.extend(
                item
                for extra in variant.__metadata__
                for item in (extra.metadata if isinstance(extra, FieldInfo) else [extra])
            )
            fields = (extra for extra in variant.__metadata__ if isinstance(extra, FieldInfo))
            examples.extend(example for field in fields for example in field.examples or ())
        variants.extend(_variants(annotation))
    model, is_list = _model(variants)
    choices = tuple(choice for variant in variants if get_origin(variant) is Literal for choice in get_args(variant))
    default = None if info.default is PydanticUndefined or model is not None else info.default
    types = () if model is not None else tuple(_type(variant) for variant in variants if variant is not NoneType)
    is_cadence = "integer" in types and "number" in types
    if is_cadence:
        types, metadata = ("number",), [annotated_types.Gt(0)]
    return Key(
        name=name,
        description=info.description or "",
        types=types,
        section=None if model is None else _section(model),
        is_list=is_list,
        required=info.is_required(),
        nullable=NoneType in variants,
        default=default,
        choices=choices,
        bounds=_bounds(metadata),
        pattern=next((m.pattern for m in metadata if getattr(m, "pattern", None)), None),
        min_length=next((m.min_length for m in metadata if isinstance(m, annotated_types.MinLen)), 0),
        examples=tuple(examples),
        is_cadence=is_cadence,
    )


def _variants(annotation: Any) -> list[Any]:
    return list(get_args(annotation)) if get_origin(annotation) in (Union, UnionType) else [annotation]


def _model(variants: list[Any]) -> tuple[type[BaseModel] | None, bool]:
    for variant in variants:
        if isinstance(variant, type) and issubclass(variant, BaseModel):
            return variant, False
        item = next(iter(get_args(variant)), None)
        if get_origin(variant) is list and isinstance(item, type) and issubclass(item, BaseModel):
            return item, True
    return None, False


def _type(variant: Any) -> ScalarType:
    if get_origin(variant) is Literal:
        return "integer" if isinstance(get_args(variant)[0], int) else "text"
    if get_origin(variant) is list:
        return "list of texts"
    known: dict[Any, ScalarType] = {str: "text", int: "integer", float: "number", bool: "boolean"}
    return known[variant]


def _bounds(metadata: list[Any]) -> Bounds:
    def bound(kind: type[Any], name: str) -> float | None:
        return next((getattr(item, name) for item in metadata if isinstance(item, kind)), None)

    return Bounds(
        ge=bound(annotated_types.Ge, "ge"),
        gt=bound(annotated_types.Gt, "gt"),
        le=bound(annotated_types.Le, "le"),
        lt=bound(annotated_types.Lt, "lt"),
    )
