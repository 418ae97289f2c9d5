"""What a Core ML model says of itself: its type, its inputs and outputs, who made it. Read, never computed with.

The messages are those of Core ML's published specification (Model.proto, FeatureTypes.proto).
"""

import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from peft_engine.models.damage import DamagedFile
from peft_engine.models.formats.data import formats_data
from peft_engine.models.formats.protobuf import BYTES, VARINT, Field, Messages

_VERSION, _DESCRIPTION = 1, 2
_INPUT, _OUTPUT, _METADATA = 1, 10, 100
_METADATA_NAMES = {1: "description", 2: "version", 3: "author", 4: "licence"}
_NAME, _TYPE = 1, 3
MANIFEST = "Manifest.json"


@dataclass(frozen=True)
class CoreMlSpec:
    """A model's description of itself."""

    version: int
    """Of the specification."""

    type: str
    """Such as `neuralNetwork` or `mlProgram`."""

    inputs: dict[str, str]
    """Names of features and their types, such as `image` or `multiArray`."""

    outputs: dict[str, str]
    metadata: dict[str, str]


def read_coreml(path: Path) -> CoreMlSpec:
    """Read the description in a `.mlmodel` file or a `.mlpackage` folder.

    Raises:
        OSError: A file cannot be read.
        DamagedFile: It is no Core ML model.
    """
    with (package_model(path) if path.is_dir() else path).open("rb") as file:
        messages = Messages(file)
        top = list(messages.fields())
        version = next((field.value for field in top if field.number == _VERSION and field.kind == VARINT), None)
        kind = next((name for field in top if (name := formats_data().coreml.types.get(field.number))), None)
        description = next((field for field in top if field.number == _DESCRIPTION and field.kind == BYTES), None)
        if version is None or kind is None or description is None:
            raise DamagedFile("it is not a Core ML model")
        parts = list(messages.fields(description))
        metadata = next((field for field in parts if field.number == _METADATA), None)
        return CoreMlSpec(
            version=version,
            type=kind,
            inputs=_features(messages, parts, _INPUT),
            outputs=_features(messages, parts, _OUTPUT),
            metadata={} if metadata is None else _texts(messages, metadata),
        )


def package_model(folder: Path) -> Path:
    """Return the model's file in a `.mlpackage` folder.

    Raises:
        OSError: The manifest cannot be read.
        DamagedFile: The manifest is none, or names a file that is not in the folder.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes()[: 2**20])
        place = manifest["itemInfoEntries"][manifest["rootModelIdentifier"]]["path"]
        parts = PurePosixPath(place)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamagedFile("its manifest names no model") from error
    file = folder / "Data" / parts
    if parts.is_absolute() or ".." in parts.parts or not file.resolve().is_relative_to(folder.resolve()):
        raise DamagedFile("its manifest names a file outside its folder")
    return file


def _features(messages: Messages, description: list[Field], number: int) -> dict[str, str]:
    found: dict[str, str] = {}
    for feature in description:
        if feature.number != number or feature.kind != BYTES:
            continue
        name, kind = "", "unknown"
        for field in messages.fields(feature):
            if field.number == _NAME:
                name = messages.text(field)
            elif field.number == _TYPE and field.kind == BYTES:
                known = formats_data().coreml.features
                kind = next((known[part.number] for part in messages.fields(field) if part.number in known), kind)
        found[name] = kind
    return found


def _texts(messages: Messages, metadata: Field) -> dict[str, str]:
    return {
        _METADATA_NAMES[field.number]: messages.text(field)
        for field in messages.fields(metadata)
        if field.number in _METADATA_NAMES
    }
