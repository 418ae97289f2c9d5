"""Attack 10: an ONNX graph that would read files outside its folder.

CVE-2024-27318, CVE-2026-27489, CVE-2026-34446, CVE-2026-34447.
"""

import os
from pathlib import Path

import pytest

from peft_engine.models.formats.onnx import check_onnx
from peft_engine.models.validation import find_flaw
from tests.unit.models.model_files import number, onnx, part, tensor


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model's folder beside a secret, with numbers of its own."""
    (tmp_path / "secret").write_bytes(b"s" * 64)
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "weights.bin").write_bytes(bytes(64))
    (folder / "sub").mkdir()
    (folder / "sub/weights.bin").write_bytes(bytes(64))
    (folder / "soft").symlink_to("../secret")
    (folder / "away").symlink_to("..")
    os.link(folder.parent / "secret", folder / "hard")
    os.mkfifo(folder / "pipe")
    return folder


def initializer(location: str, **entries: str) -> bytes:
    return onnx(part(5, tensor(location=location, **entries)))


def test_files_of_the_models_own_folder_are_allowed(folder: Path) -> None:
    graph = part(5, tensor(location="weights.bin", offset="0", length="64")) + part(
        5, tensor(location="sub/weights.bin")
    )
    (folder / "model.onnx").write_bytes(onnx(graph))
    assert check_onnx(folder / "model.onnx") == [folder / "sub/weights.bin", folder / "weights.bin"]
    assert find_flaw(folder) is None


OUTSIDE = [
    "../secret", "sub/../../secret", "./../secret", "/etc/passwd", "//host/share", "C:\\secret", "C:secret",
    "..\\secret", "soft", "hard", "away/secret", "pipe", "sub", "missing", "", ".", "weights.bin\x00../secret",
]  # fmt: skip


@pytest.mark.parametrize("location", OUTSIDE)
def test_E17_a_file_outside_or_of_another_kind_is_refused_and_not_opened(
    folder: Path, location: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "model.onnx").write_bytes(initializer(location))
    opened: list[str] = []
    monkeypatch.setattr(Path, "open", _noting(opened))
    flaw = find_flaw(folder / "model.onnx")
    assert flaw is not None
    assert flaw.kind == "model-damaged"
    assert "tensor names" in flaw.message
    assert set(opened) == {"model.onnx"}


def _noting(opened: list[str]):  # type: ignore[no-untyped-def]
    original = Path.open

    def open_(self: Path, *arguments: object, **more: object) -> object:
        opened.append(self.name)
        return original(self, *arguments, **more)  # type: ignore[call-overload]

    return open_


PLACES = {
    "an initializer": lambda held: onnx(part(5, held)),
    "a node's attribute": lambda held: onnx(part(1, part(5, part(5, held)))),
    "a list in an attribute": lambda held: onnx(part(1, part(5, part(10, held)))),
    "a graph in an attribute": lambda held: onnx(part(1, part(5, part(6, part(5, held))))),
    "a function's node": lambda held: onnx(more=part(25, part(7, part(5, part(5, held))))),
    "a training graph": lambda held: onnx(more=part(20, part(1, part(5, held)))),
}


@pytest.mark.parametrize("place", PLACES)
def test_E17_a_tensor_is_found_wherever_a_graph_can_hold_one(folder: Path, place: str) -> None:
    (folder / "model.onnx").write_bytes(PLACES[place](tensor(location="../secret")))
    flaw = find_flaw(folder / "model.onnx")
    assert flaw is not None
    assert "leads out of the model's folder" in flaw.message


@pytest.mark.parametrize("field", [1, 2])
def test_E17_a_sparse_tensor_names_no_file_at_all(folder: Path, field: int) -> None:
    graph = part(15, part(field, tensor(location="weights.bin")))
    (folder / "model.onnx").write_bytes(onnx(graph))
    flaw = find_flaw(folder)
    assert flaw is not None
    assert "sparse" in flaw.message


@pytest.mark.parametrize(
    "entries", [{"offset": "65"}, {"length": "65"}, {"offset": "1", "length": "64"}, {"offset": "-1"}, {"length": "x"}]
)
def test_E17_a_place_beyond_the_file_is_refused(folder: Path, entries: dict[str, str]) -> None:
    (folder / "model.onnx").write_bytes(initializer("weights.bin", **entries))
    assert find_flaw(folder) is not None


def test_E17_a_file_that_is_named_without_saying_external_is_checked_too(folder: Path) -> None:
    held = part(13, part(1, "location") + part(2, "../secret")) + number(14, 0)
    (folder / "model.onnx").write_bytes(onnx(part(5, held)))
    assert find_flaw(folder) is not None


def test_E17_graphs_nested_without_end_are_refused(folder: Path) -> None:
    graph = b""
    for _ in range(200):
        graph = part(1, part(5, part(6, graph)))
    (folder / "model.onnx").write_bytes(onnx(graph))
    flaw = find_flaw(folder)
    assert flaw is not None
    assert "nested" in flaw.message
