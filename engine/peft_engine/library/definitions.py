"""Models that a user declares by files: `models/*.yaml` in the state folder. A bad file takes no other one down."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import ValidationError

from peft_engine.files import write_atomic
from peft_engine.home import models_dir
from peft_engine.library.bounds import library_bounds
from peft_engine.prompt_formats import prompt_formats
from peft_schemas.errors import WorkbenchError
from peft_schemas.library import DefinitionFault, ModelDefinition

_LARGEST = 2**20
"""Bytes. A chat template has a few thousand."""

_MOST = 500
"""Files that are read."""


@dataclass(frozen=True)
class Defined:
    """A definition and the file that it is in."""

    id: str
    path: Path
    definition: ModelDefinition


def read_definitions() -> tuple[list[Defined], list[DefinitionFault]]:
    """Return all definitions by id, and what is wrong with the files that hold none."""
    found: dict[str, Defined] = {}
    faults: list[DefinitionFault] = []
    for path in definition_files():
        try:
            defined = _read(path)
        except _Faulty as fault:
            faults.append(DefinitionFault(path=str(path), line=fault.line, message=fault.message))
            continue
        other = found.setdefault(defined.id, defined)
        if other is not defined:
            message = f"{defined.id} is defined by {other.path.name} already."
            faults.append(DefinitionFault(path=str(path), line=None, message=message))
    return sorted(found.values(), key=lambda defined: defined.id), faults


def definition_files() -> list[Path]:
    """Return the files that may define a model, by name."""
    return sorted(path for path in models_dir().glob("*.yaml") if path.is_file() and path.name[0] != ".")[:_MOST]


def write_definition(name: str, definition: ModelDefinition) -> Path:
    """Write a definition to a new file.

    Raises:
        WorkbenchError: There is a file of that name (`not-supported`).
    """
    path = models_dir() / f"{re.sub(r'[^A-Za-z0-9._-]+', '-', name).strip('.-') or 'model'}.yaml"
    if path.exists():
        raise WorkbenchError(
            "not-supported", f"{path} defines a model already.", "Choose another id, or remove that one first."
        )
    content = definition.model_dump(mode="json", exclude_defaults=True)
    write_atomic(path, yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
    return path


class _Faulty(Exception):
    def __init__(self, line: int | None, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


def _read(path: Path) -> Defined:
    try:
        if path.stat().st_size > _LARGEST:
            raise _Faulty(None, f"The file has more than {_LARGEST // 2**20} MB.")
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        definition = ModelDefinition.model_validate(yaml.safe_load(text))
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, fault["loc"])) or "the whole file"
        raise _Faulty(_line(node, fault["loc"]), f"{where}: {fault['msg']}.") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise _Faulty(line, f"{error.problem}.") from error
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise _Faulty(None, f"{str(error).splitlines()[0] if str(error) else type(error).__name__}.") from error
    if definition.prompt_format is not None:
        known = prompt_formats().formats
        if definition.prompt_format not in known:
            raise _Faulty(_line(node, ("prompt_format",)), f"prompt_format: it is none of {', '.join(sorted(known))}.")
        if definition.template is not None:
            raise _Faulty(_line(node, ("template",)), "template: prompt_format names another one already.")
    allowed = library_bounds().adapter_scale
    for number, adapter in enumerate(definition.adapters):
        if not allowed.lowest <= adapter.scale <= allowed.highest:
            message = f"adapters.{number}.scale: it is no number from {allowed.lowest:g} to {allowed.highest:g}."
            raise _Faulty(_line(node, ("adapters", number, "scale")), message)
    return Defined(definition.id or path.stem, path, definition)


def _line(node: yaml.Node | None, place: Sequence[int | str]) -> int | None:
    """Return the line of a value, or of the nearest thing around it that is there."""
    line = None if node is None else node.start_mark.line + 1
    for step in place:
        node = next((value for key, value in _children(node) if key == step), None)
        if node is None:
            break
        line = node.start_mark.line + 1
    return line


def _children(node: yaml.Node | None) -> Iterator[tuple[int | str, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        yield from ((str(key.value), value) for key, value in node.value)
    elif isinstance(node, yaml.SequenceNode):
        yield from enumerate(node.value)
