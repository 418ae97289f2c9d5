"""Whether a JSON value has the shape that a type describes."""

from functools import cache
from types import UnionType
from typing import Any, Literal, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

_NAMES = {str: "a text", int: "a whole number", bool: "true or false", type(None): "null", dict: "an object"}


def misfit(value: Any, shape: Any, where: str = "") -> str | None:
    """Say where a value does not have a shape, as in `position.line: expected a whole number`; None when it has it.

    Args:
        value: What `json.loads` returned.
        shape: A `TypedDict`, of which unknown keys are let through, or `list`, `dict`, `Literal`, a union or a scalar.
        where: The place of the value, for the sentence.
    """
    if type(value) is shape:
        return None
    is_object, origin, arguments = _taken_apart(shape)
    if is_object:
        return _misfit_of_object(value, shape, where)
    if origin is list and isinstance(value, list):
        found = (misfit(item, arguments[0], f"{where}[{index}]") for index, item in enumerate(value))
        return next((problem for problem in found if problem), None)
    if _fits(value, shape, origin, arguments):
        return None
    return f"{where or 'params'}: expected {_described(shape)}"


def _misfit_of_object(value: Any, shape: Any, where: str) -> str | None:
    if not isinstance(value, dict):
        return f"{where or 'params'}: expected an object"
    for name, member in _members(shape).items():
        here = f"{where}.{name}" if where else name
        if name in value:
            if problem := misfit(value[name], member, here):
                return problem
        elif name in shape.__required_keys__:
            return f"{here}: is missing"
    return None


def _fits(value: Any, shape: Any, origin: Any, arguments: tuple[Any, ...]) -> bool:
    if shape is Any:
        return True
    if origin in (Union, UnionType):
        return any(misfit(value, variant) is None for variant in arguments)
    if origin is Literal:
        return value in arguments
    if origin is dict:
        return isinstance(value, dict) and all(misfit(item, arguments[1]) is None for item in value.values())
    if isinstance(value, bool):
        return shape is bool
    # The numbered kinds are open: an editor may know more of them than we do.
    return isinstance(value, int if isinstance(shape, type) and issubclass(shape, int) else origin or shape)


@cache
def _taken_apart(shape: Any) -> tuple[bool, Any, tuple[Any, ...]]:
    """Return whether a type is a `TypedDict`, its origin and its arguments. Every message from the editor asks."""
    return is_typeddict(shape), get_origin(shape), get_args(shape)


@cache
def _members(shape: Any) -> dict[str, Any]:
    return get_type_hints(shape)


def _described(shape: Any) -> str:
    if get_origin(shape) in (Union, UnionType):
        return " or ".join(_described(variant) for variant in get_args(shape))
    if get_origin(shape) is Literal:
        return " or ".join(map(repr, get_args(shape)))
    if get_origin(shape) is list:
        return "a list"
    if is_typeddict(shape):
        return "an object"
    if get_origin(shape) is NotRequired:
        return _described(get_args(shape)[0])
    return _NAMES.get(get_origin(shape) or shape, "a whole number")
