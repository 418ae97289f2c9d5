"""The library as a list: each base with the adapters on it, what cannot be used with its reason, and filters."""

from collections import defaultdict
from pathlib import Path

from peft_engine.catalog import Servable, list_servable, of_definition
from peft_engine.library.copies import find_copies
from peft_engine.library.definitions import Defined, read_definitions
from peft_engine.library.entries import Entry, list_entries
from peft_engine.library.scan import model_facts
from peft_schemas.errors import WorkbenchError
from peft_schemas.library import DefinitionFault, ModelAdapter, ModelEntry, ModelFacts, ModelList, ModelQuery


def list_models(query: ModelQuery) -> ModelList:
    """Return the models that meet a query, by id, and the definition files with faults. Looks at files: slow."""
    found = list_entries()
    facts = {entry.path: entry.facts for entry in found if entry.facts is not None}
    adapters: dict[Path, list[ModelAdapter]] = defaultdict(list)
    bases: list[Servable] = []
    for model in list_servable():
        if model.run_id is None:
            bases.append(model)
        else:
            adapters[model.weights].append(ModelAdapter(id=model.id, run_id=model.run_id))
    # A run brings its base in by the path in its config, for which the library may have a name.
    scanned = {entry.id for entry in found}
    nameless = {base.id for base in bases if base.source == "folder" and base.id not in scanned}
    named = {base.weights for base in bases if base.id not in nameless}
    models = [
        _usable(base, facts.get(base.weights), adapters[base.weights])
        for base in bases
        if base.id not in nameless or base.weights not in named
    ]
    listed = {model.id for model in models}
    models += [_unusable(entry) for entry in found if entry.problem is not None and entry.id not in listed]
    models.sort(key=lambda model: model.id)
    copies = find_copies(models)
    models = [model.model_copy(update={"copies": copies.get(model.id, [])}) for model in models]
    chosen = [model for model in models if meets(model, query)]
    return ModelList(models=chosen, faults=definition_faults())


def definition_faults() -> list[DefinitionFault]:
    """Return what is wrong with definition files, and with what they name."""
    definitions, faults = read_definitions()
    return faults + [fault for defined in definitions if (fault := _fault(defined)) is not None]


def find_model(model_id: str) -> ModelEntry:
    """Return one base of the library.

    Raises:
        WorkbenchError: There is none of that id (`model-missing`).
    """
    for model in list_models(ModelQuery()).models:
        if model.id == model_id:
            return model
    raise WorkbenchError(
        "model-missing",
        f"The library has no model {model_id}.",
        "List what it has with `peftw models list`, or look again with `peftw models scan`.",
    )


def meets(model: ModelEntry, query: ModelQuery) -> bool:
    """Tell whether a model is wanted. One of which a thing is not known meets no condition on it."""
    if query.text.casefold() not in model.id.casefold() or (query.sources and model.source not in query.sources):
        return False
    facts = model.facts
    if facts is None:
        return not query.formats and not query.capabilities and query.min_bytes is query.max_bytes is None
    return (
        (not query.formats or facts.format in query.formats)
        and set(query.capabilities) <= set(facts.capabilities)
        and (query.min_bytes is None or facts.size_bytes >= query.min_bytes)
        and (query.max_bytes is None or facts.size_bytes <= query.max_bytes)
    )


def _usable(base: Servable, facts: ModelFacts | None, adapters: list[ModelAdapter]) -> ModelEntry:
    return ModelEntry(
        id=base.id,
        source=base.source,
        path=str(base.weights),
        base=base.trains_as,
        facts=facts or model_facts(base.weights),
        definition=None if base.definition is None else str(base.definition),
        pinned=base.pinned,
        adapters=adapters,
    )


def _unusable(entry: Entry) -> ModelEntry:
    return ModelEntry(
        id=entry.id, source=entry.source, path=str(entry.path), base=None, facts=None, problem=entry.problem
    )


def _fault(defined: Defined) -> DefinitionFault | None:
    try:
        of_definition(defined)
    except WorkbenchError as error:
        return DefinitionFault(
            path=str(defined.path), range=defined.model_range, message=f"{error.message} {error.remedy}"
        )
    return None


def path_of(text: str) -> Path:
    """Return a path that a person gave, whole, with its links as they are."""
    return Path(text).expanduser().absolute()
