"""Models that a user declares by files: `models/*.yaml` in the state folder, `.peft/models/*.yaml` in open workspaces.

A bad file takes no other one down.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import ValidationError

from peft_engine.faults import fault_words
from peft_engine.files import write_atomic
from peft_engine.home import models_dir
from peft_engine.library.bounds import library_bounds
from peft_engine.library.workspaces import definition_folders
from peft_engine.library.yaml_places import YamlPlaces, range_in
from peft_engine.prompt_formats import prompt_formats
from peft_schemas.errors import WorkbenchError
from peft_schemas.findings import Range
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
    model_range: Range | None
    """Where the file names the base."""


def read_definitions() -> tuple[list[Defined], list[DefinitionFault]]:
    """Return all definitions by id, and what is wrong with the files that hold none."""
    found: dict[str, Defined] = {}
    faults: list[DefinitionFault] = []
    for path in definition_files():
        try:
            defined = _read(path)
        except _Faulty as faulty:
            faults += [DefinitionFault(path=str(path), range=range_, message=what) for range_, what in faulty.faults]
            continue
        other = found.setdefault(defined.id, defined)
        if other is not defined:
            message = f"{defined.id} is defined by {other.path.name} already."
            faults.append(DefinitionFault(path=str(path), range=defined.model_range, message=message))
    return sorted(found.values(), key=lambda defined: defined.id), faults


def definition_files() -> list[Path]:
    """Return the files that may define a model: the user's own by name, then those of open workspaces."""
    found = [path for folder in (models_dir(), *definition_folders()) for path in sorted(folder.glob("*.yaml"))]
    return [path for path in found if path.is_file() and path.name[0] != "."][:_MOST]


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
    def __init__(self, *faults: tuple[Range | None, str]) -> None:
        super().__init__(*faults)
        self.faults = faults


def _read(path: Path) -> Defined:
    try:
        if path.stat().st_size > _LARGEST:
            raise _Faulty((None, f"The file has more than {_LARGEST // 2**20} MB."))
        text = path.read_text(encoding="utf-8")
        places = YamlPlaces(text)
        definition = ModelDefinition.model_validate(yaml.safe_load(text))
    except ValidationError as error:
        raise _Faulty(*_invalid(error, places)) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        lines = text.splitlines()
        where = None if mark is None else range_in(lines, mark.line, mark.column, mark.line, mark.column + 1)
        raise _Faulty((where, f"{error.problem}.")) from error
    except UnicodeDecodeError as error:
        raise _Faulty((None, "It is no text in UTF-8.")) from error
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise _Faulty((None, f"{reason}.")) from error
    if faults := list(_contradictions(definition, places)):
        raise _Faulty(*faults)
    return Defined(definition.id or path.stem, path, definition, places.of_value(("model",)))


def _invalid(error: ValidationError, places: YamlPlaces) -> Iterator[tuple[Range | None, str]]:
    """Yield what pydantic found, each at its place: a key that there is not at the key, a bad value at the value."""
    for fault in error.errors(include_url=False, include_input=False):
        place = places.of_key if fault["type"] == "extra_forbidden" else places.of_value
        where = ".".join(map(str, fault["loc"])) or "the whole file"
        yield place(fault["loc"]), f"{where}: {fault_words(fault)}."


def _contradictions(definition: ModelDefinition, places: YamlPlaces) -> Iterator[tuple[Range | None, str]]:
    """Yield what is wrong with values that are valid each by itself."""
    if definition.prompt_format is not None:
        known = prompt_formats().formats
        if definition.prompt_format not in known:
            names = ", ".join(sorted(known))
            yield places.of_value(("prompt_format",)), f"prompt_format: it is none of {names}."
        if definition.template is not None:
            yield places.of_key(("template",)), "template: prompt_format names another one already."
    allowed = library_bounds().adapter_scale
    for number, adapter in enumerate(definition.adapters):
        if not allowed.lowest <= adapter.scale <= allowed.highest:
            message = f"adapters.{number}.scale: it is no number from {allowed.lowest:g} to {allowed.highest:g}."
            yield places.of_value(("adapters", number, "scale")), message
