"""What can be chatted with on this machine: bases, and bases with adapters. Looks at files only, loads nothing.

The list is made anew at each call, so a run that completes, or is removed, shows at once, and so does a definition
file. Of other tools' models there are those that the last scan found.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from peft_engine.library.definitions import Defined, read_definitions
from peft_engine.library.entries import Entry, list_entries
from peft_engine.library.facts import folder_facts, gguf_facts
from peft_engine.library.ids import ChosenAdapter, ModelId, format_model_id, parse_model_id
from peft_engine.library.layouts import is_served_only
from peft_engine.library.trained import Trained, read_trained
from peft_engine.models import ResolvedBase, resolve_base
from peft_engine.profiles import known_models
from peft_engine.prompt_formats import prompt_formats
from peft_engine.rundir import find_run, list_runs
from peft_schemas.errors import WorkbenchError
from peft_schemas.library import (
    ModelCapability,
    ModelDefinition,
    ModelFacts,
    ModelFormat,
    ModelSource,
    SamplingDefaults,
)

CONTEXT_LIMIT = 8192
"""Tokens. A model made for more is served with this much, because its K/V memory grows with every token of it."""

_FALLBACK_CONTEXT = 2048
"""Tokens, for a file that does not say what it was made for."""

_SOURCES: dict[str, ModelSource] = {
    "path": "folder",
    "cache": "workbench",
    "package": "package",
    "hub-cache": "huggingface",
}


@dataclass(frozen=True)
class AdapterChoice:
    """An adapter on a base, and how strongly it is applied."""

    name: str
    """What the id calls it."""

    path: Path
    """A GGUF file or a PEFT folder, whichever goes with the format of the base's weights."""

    scale: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Servable:
    """One model id and the files behind it."""

    id: str
    """`<base>`, `<base>:<run id>`, `<base>:<run id>@<scale>`, or several adapters joined by `+`."""

    label: str
    """A short name for people."""

    base: str
    """The id of the base alone, which is `model.base` as written in a config."""

    run_id: str | None = None
    """The run that made the only adapter, or the whole model."""

    weights: Path
    """The base's weights: a GGUF file, the first one of a split model, or a folder saved by transformers."""

    format: ModelFormat
    adapters: tuple[AdapterChoice, ...] = ()
    """Applied together; none for the bare base."""

    context_length: int
    """Tokens of prompt and answer together, as served."""

    capabilities: frozenset[ModelCapability] = frozenset()
    """What the base was made for, by its files. What it can do in memory its engine knows."""

    created: float
    """When it came to this machine, seconds since the epoch."""

    size_bytes: int
    """Of the base's weights on disk."""

    parameters: int | None = None
    quantization: str | None = None
    architecture: str | None = None
    source: ModelSource
    trains_as: str | None = None
    """What `model.base` of a config would be to train the base; None where it has no such form."""

    definition: Path | None = None
    """The file that declares it."""

    sampling: SamplingDefaults = field(default_factory=SamplingDefaults)
    """What a request that does not say is answered with."""

    template: str | None = None
    """A chat template in place of the model's own."""

    pinned: bool = False
    """Whether it is loaded when the server starts, and kept in memory."""


def list_servable() -> list[Servable]:
    """Return everything that can be served now: bases by name, then adapters, newest first."""
    bases: dict[str, Servable] = {}
    adapters: list[Servable] = []
    for defined in read_definitions()[0]:
        try:
            bases[defined.id] = of_definition(defined)
        except WorkbenchError:
            continue
    for base in known_models():
        try:
            bases.setdefault(base, _of_base(resolve_base(base)))
        except WorkbenchError:
            continue
    for entry in list_entries():
        if entry.facts is not None and entry.path.exists():
            bases.setdefault(entry.id, _of_entry(entry, entry.facts))
    for trained in _all_trained():
        try:
            adapters.append(_combine([trained], [ChosenAdapter(trained.run_id)]))
        except WorkbenchError:
            continue
        try:
            bases.setdefault(trained.base.base, _of_base(trained.base))
        except WorkbenchError:
            continue
    adapters.sort(key=lambda model: (model.created, model.id), reverse=True)
    return [*sorted(bases.values(), key=lambda base: base.id), *adapters]


def find_servable(model_id: str) -> Servable:
    """Return the model of an id.

    Raises:
        WorkbenchError: Nothing has that id, or it is no id (`model-missing`); a run that it names has no adapter to
            serve any more (`adapter-missing`); or its base has no form that is served (`base-not-servable`).
    """
    for defined in read_definitions()[0]:
        if defined.id == model_id:
            return of_definition(defined)
    if (base := _base_or_none(model_id)) is not None:
        return base
    wanted = parse_model_id(model_id)
    if wanted.adapters and (trained := _trained_of(wanted)):
        return _combine(trained, wanted.adapters)
    servable = list_servable()
    for model in servable:
        if model.id == model_id:
            return model
    names = ", ".join(model.id for model in servable)
    raise WorkbenchError(
        "model-missing",
        f"There is no model {model_id} here.",
        f"There are: {names}."
        if names
        else "Run a config first, or install the small model that `peftw doctor` names.",
    )


def of_definition(defined: Defined) -> Servable:
    """Return the model that a file declares.

    Raises:
        WorkbenchError: Its base or an adapter is missing, or they do not go together.
    """
    definition, folder = defined.definition, defined.path.parent
    base = _base_or_none(definition.model) or _added_or_none(definition.model, defined) or _by_place(defined)
    adapters = tuple(
        AdapterChoice(Path(wanted.adapter).name, _adapter_path(wanted.adapter, base, folder), wanted.scale)
        for wanted in definition.adapters
    )
    return replace(
        base,
        id=defined.id,
        label=defined.id,
        # The base is shared by all that are served with the same length of context.
        base=base.base if definition.context_length is None else defined.id,
        adapters=adapters,
        context_length=definition.context_length or base.context_length,
        definition=defined.path,
        sampling=definition.sampling,
        template=_template(definition),
        pinned=definition.pin,
        source="added",
    )


def _template(definition: ModelDefinition) -> str | None:
    if definition.prompt_format is None:
        return definition.template
    return prompt_formats().formats[definition.prompt_format].template


def _adapter_path(adapter: str, base: Servable, folder: Path) -> Path:
    try:
        trained = read_trained(find_run(adapter))
    except WorkbenchError as error:
        path = folder / Path(adapter).expanduser()
        if error.code != "run-missing":
            raise
        if not path.exists():
            raise WorkbenchError(
                "adapter-missing",
                f"There is no run {adapter}, and no adapter at {path}.",
                "Correct the definition of the model.",
            ) from error
        return path
    found = trained.gguf if base.format == "gguf" else trained.peft
    if found is None:
        raise WorkbenchError(
            "adapter-missing",
            f"The adapter of run {adapter} has no form that goes with a base in {base.format} format.",
            "Name a base in another format in the definition of the model.",
        )
    return found


def _base_or_none(base: str) -> Servable | None:
    """Return a base by an id that needs no config to be understood: a known model's, or one that a scan found."""
    if base in known_models():
        return _of_base(resolve_base(base))
    for entry in list_entries():
        if entry.id == base and entry.facts is not None and entry.path.exists():
            return _of_entry(entry, entry.facts)
    return None


def _added_or_none(base: str, asking: Defined) -> Servable | None:
    """Return the base of a model that another file declares, as `peftw models add` leaves it.

    Raises:
        WorkbenchError: That model has adapters (`not-supported`), or its base is not there.
    """
    for other in [] if Path(base).is_absolute() else read_definitions()[0]:
        if other.id == base and other.path != asking.path:
            if other.definition.adapters:
                raise WorkbenchError(
                    "not-supported",
                    f"{base} has adapters, so it is no base.",
                    f"Name {other.definition.model} as the model, and the adapters beside it.",
                )
            # One step and no more: files may name each other in a circle.
            return _base_or_none(other.definition.model) or _by_place(other)
    return None


def _by_place(defined: Defined) -> Servable:
    """Return the base that a definition names by a hub id, or by a path beside it."""
    base, folder = defined.definition.model, defined.path.parent
    return _served_only_or_none(base, folder) or _of_base(resolve_base(base, folder=folder))


def _served_only_or_none(base: str, folder: Path) -> Servable | None:
    """Return a folder in a form that is served, but that no config can be trained from."""
    path = folder / Path(base).expanduser()
    if path.is_dir() and is_served_only(list(path.glob("*"))):
        return _servable(base, path, folder_facts(path), "folder", trains_as=None)
    return None


def _of_entry(entry: Entry, facts: ModelFacts) -> Servable:
    return _servable(entry.id, entry.path, facts, entry.source, trains_as=entry.base)


def _all_trained() -> Iterator[Trained]:
    for run in list_runs():
        try:
            yield read_trained(run)
        except WorkbenchError:
            continue


def _trained_of(wanted: ModelId) -> list[Trained] | None:
    """Return the results that an id names; None when it names one that is none, or that is of another base.

    Raises:
        WorkbenchError: A run is there, but has nothing to serve.
    """
    found = []
    for adapter in wanted.adapters:
        try:
            run = find_run(adapter.name)
        except WorkbenchError:
            return None
        found.append(read_trained(run))
    return found if all(trained.base.base == wanted.base for trained in found) else None


def _combine(trained: Sequence[Trained], chosen: Sequence[ChosenAdapter]) -> Servable:
    """Return the results of runs on their common base, in a form that all of them and the base have.

    Raises:
        WorkbenchError: There is no such form (`adapter-missing`, `base-not-servable`), or the base is not the same
            (`not-supported`).
    """
    base = trained[0].base
    if any(one.base != base for one in trained):
        raise WorkbenchError(
            "not-supported",
            f"{' and '.join(one.run_id for one in trained)} were trained on different files, both called {base.base}.",
            "Choose adapters of one base.",
        )
    if len(trained) == 1 and trained[0].model is not None:
        bare = _of_folder(base, trained[0].model)
        paths: list[Path] = []
        chosen = [ChosenAdapter(chosen[0].name)]
    else:
        bare, paths = _with_adapters(base, trained)
    model_id = format_model_id(ModelId(base.base, tuple(chosen)))
    return replace(
        bare,
        id=model_id,
        label=f"{' + '.join(one.run_id for one in trained)} on {bare.label}",
        run_id=trained[0].run_id if len(trained) == 1 else None,
        adapters=tuple(
            AdapterChoice(adapter.name, path, adapter.scale) for adapter, path in zip(chosen, paths, strict=False)
        ),
        created=max(one.created for one in trained),
    )


def _with_adapters(base: ResolvedBase, trained: Sequence[Trained]) -> tuple[Servable, list[Path]]:
    """Return the base in the form for which each adapter has one too, and the adapters in that form."""
    native = [one.gguf for one in trained if one.gguf is not None]
    if base.gguf is not None and len(native) == len(trained):
        return _of_gguf(base, base.gguf), native
    folders = [one.peft for one in trained if one.peft is not None]
    if base.hf_dir is not None and len(folders) == len(trained):
        return _of_folder(base, base.hf_dir), folders
    if base.gguf is None:
        raise _not_servable(base)
    lacking = next((one for one in trained if one.gguf is None), trained[0])
    raise WorkbenchError(
        "adapter-missing",
        f"The adapter of run {lacking.run_id} has no form that llama.cpp can load, and {base.base} has no folder that "
        "transformers can load, so it cannot be chatted with here.",
        f"Open it with PEFT; the events of run {lacking.run_id} say why it has none.",
    )


def _of_base(base: ResolvedBase) -> Servable:
    if base.gguf is not None:
        return _of_gguf(base, base.gguf)
    if base.hf_dir is not None:
        return _of_folder(base, base.hf_dir)
    raise _not_servable(base)


def _not_servable(base: ResolvedBase) -> WorkbenchError:
    return WorkbenchError(
        "base-not-servable",
        f"{base.base} has neither a GGUF file nor a folder with safetensors on this machine, which are what is served.",
        "Point `model.base` at a GGUF file or a folder, or at a model whose package carries one.",
    )


def _of_gguf(base: ResolvedBase, path: Path) -> Servable:
    return _servable(base.base, path, gguf_facts(path), _SOURCES[base.origin], trains_as=base.base)


def _of_folder(base: ResolvedBase, folder: Path) -> Servable:
    return _servable(base.base, folder, folder_facts(folder), _SOURCES[base.origin], trains_as=base.base)


def _servable(base: str, weights: Path, facts: ModelFacts, source: ModelSource, *, trains_as: str | None) -> Servable:
    return Servable(
        id=base,
        label=Path(base).name,
        base=base,
        weights=weights,
        format=facts.format,
        context_length=min(facts.context_length or _FALLBACK_CONTEXT, CONTEXT_LIMIT),
        capabilities=frozenset(facts.capabilities),
        created=weights.stat().st_mtime,
        size_bytes=facts.size_bytes,
        parameters=facts.parameters,
        quantization=facts.quantization,
        architecture=facts.architecture,
        source=source,
        trains_as=trains_as,
    )
