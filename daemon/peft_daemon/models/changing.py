"""Adding models to the library, and taking them off it. No file of a model is ever touched."""

from pathlib import Path

from peft_daemon.models.listing import find_model, list_models
from peft_engine.library.definitions import read_definitions, write_definition
from peft_engine.library.entries import forget, list_entries, recall
from peft_engine.library.scan import model_facts, scan
from peft_engine.models.validation import require_sound
from peft_schemas.errors import WorkbenchError
from peft_schemas.library import ModelDefinition, ModelEntry, ModelQuery


def add_model(path: Path, model_id: str | None = None) -> ModelEntry:
    """Put a model into the library: one that was forgotten comes back, any other gets a definition file.

    Args:
        path: A GGUF file, or a folder saved by transformers.
        model_id: What it is to be called; by its file or folder when left out.

    Raises:
        WorkbenchError: It is no model that is served (the code says why), or the id is taken (`not-supported`).
    """
    if recall(path):
        scan()
    if model_id is None and (known := _of_path(path)) is not None:
        return known
    if not path.exists():
        raise WorkbenchError("model-missing", f"There is no {path}.", "Correct the path of the model.")
    require_sound(path)
    model_facts(path)
    name = model_id or (path.name if path.is_dir() else path.stem)
    if any(model.id == name for model in list_models(ModelQuery()).models):
        raise WorkbenchError(
            "not-supported", f"The library has a model {name} already.", "Choose another name with `--id`."
        )
    try:
        definition = ModelDefinition(model=str(path), id=name)
    except ValueError as error:
        raise WorkbenchError(
            "not-supported",
            f"{name!r} cannot be the id of a model: letters, digits, `.`, `_`, `-` and `/` can.",
            "Give it another one with `--id`.",
        ) from error
    write_definition(name, definition)
    return find_model(name)


def remove_model(model_id: str) -> None:
    """Take a model off the library. Its files stay.

    Raises:
        WorkbenchError: There is none of that id (`model-missing`), or it is not the library that lists it
            (`not-supported`).
    """
    for defined in read_definitions()[0]:
        if defined.id == model_id:
            _remove_definition(defined.path, defined.definition)
            return
    for entry in list_entries():
        if entry.id == model_id:
            forget(entry.path)
            return
    model = find_model(model_id)
    raise WorkbenchError(
        "not-supported",
        f"{model_id} is listed because "
        + ("an installed package carries it." if model.source == "package" else "a run was trained on it."),
        "Uninstall the package, or remove the runs, to take it off the list.",
    )


def _remove_definition(path: Path, definition: ModelDefinition) -> None:
    if definition.model_dump(exclude_defaults=True).keys() - {"model", "id"}:
        raise WorkbenchError(
            "not-supported",
            f"{path} was written by hand and says more than where the model is, so it is not removed.",
            "Delete the file yourself if you no longer want the model.",
        )
    path.unlink(missing_ok=True)


def _of_path(path: Path) -> ModelEntry | None:
    return next((model for model in list_models(ModelQuery()).models if model.path == str(path)), None)
