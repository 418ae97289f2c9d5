"""What other tools keep is found where they keep it, and nothing beyond."""

import json
import os
import shutil
from pathlib import Path

import pytest

from peft_engine.home import settings_file
from peft_engine.library.bounds import ScanLimits
from peft_engine.library.entries import Entry, forget, list_entries, recall
from peft_engine.library.layouts import find_models
from peft_engine.library.scan import scan
from peft_engine.library.walk import Walk
from tests.unit.library.layouts import TEMPLATE, plant_hub_cache, plant_ollama, write_folder, write_gguf

LIMITS = ScanLimits(depth=8, files=1000, models=100, seconds=60.0)


def found() -> dict[str, Entry]:
    scan()
    return {entry.id: entry for entry in list_entries()}


def test_E26_the_cache_of_hugging_face_is_read_by_its_refs_and_links(machine: Path) -> None:
    snapshot = plant_hub_cache(machine / ".cache/huggingface/hub")

    entries = found()
    assert set(entries) == {"org/tiny", "org/tiny/tiny-q4"}
    assert (entries["org/tiny"].path, entries["org/tiny"].base) == (snapshot, "org/tiny")
    assert {entry.source for entry in entries.values()} == {"huggingface"}


@pytest.mark.parametrize(
    ("variable", "below"), [("HF_HUB_CACHE", ""), ("HF_HOME", "hub"), ("XDG_CACHE_HOME", "huggingface/hub")]
)
def test_E26_the_variables_of_hugging_face_are_obeyed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, below: str
) -> None:
    plant_hub_cache(tmp_path / "elsewhere" / below)
    monkeypatch.setenv(variable, str(tmp_path / "elsewhere"))
    assert "org/tiny" in found()


def test_E26_the_models_of_lm_studio_ollama_and_llama_cpp_are_found(machine: Path) -> None:
    write_gguf(machine / ".lmstudio/models/pub/repo/tiny.gguf")
    write_gguf(machine / ".cache/lm-studio/models/pub/old/older.gguf")
    blob = plant_ollama(machine / ".ollama/models")
    plant_ollama(machine / ".ollama/models", "hf.co/someone/else/latest", tokens=("c",))
    write_gguf(machine / ".cache/llama.cpp/org_repo_file.gguf")

    entries = found()
    assert {entry.id: entry.source for entry in entries.values()} == {
        "pub/repo/tiny": "lm-studio",
        "pub/old/older": "lm-studio",
        "tiny:1b": "ollama",
        "hf.co/someone/else:latest": "ollama",
        "org_repo_file": "llama.cpp",
    }
    assert entries["tiny:1b"].path == blob


def test_E26_folders_of_the_settings_are_looked_through(tmp_path: Path) -> None:
    write_folder(tmp_path / "mine/deep/model")
    settings_file().write_text(f"models: {{folders: [{tmp_path / 'mine'}]}}\n")

    entry = found()["deep/model"]
    assert (entry.source, entry.base) == ("folder", str(tmp_path / "mine/deep/model"))


def test_E26_a_scan_takes_up_what_is_new_and_drops_what_is_gone(machine: Path) -> None:
    first = write_gguf(machine / ".lmstudio/models/pub/repo/first.gguf")
    assert scan()
    assert not scan()

    write_gguf(machine / ".lmstudio/models/pub/repo/second.gguf")
    first.unlink()
    assert set(found()) == {"pub/repo/second"}

    shutil.rmtree(machine / ".lmstudio")
    assert found() == {}


def test_E26_only_what_changed_is_read_again(machine: Path) -> None:
    path = write_gguf(machine / ".lmstudio/models/pub/repo/tiny.gguf")
    before = path.stat()
    found()
    # Same size, inode and time of change: a scan that read it would find the damage.
    path.write_bytes(b"\x00" * before.st_size)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert found()["pub/repo/tiny"].problem is None

    path.touch()
    assert found()["pub/repo/tiny"].problem is not None


def test_E26_links_that_leave_the_root_are_not_followed(machine: Path, tmp_path: Path) -> None:
    outside = write_gguf(tmp_path / "outside/secret.gguf")
    root = machine / ".lmstudio/models"
    write_gguf(root / "pub/repo/tiny.gguf")
    (root / "pub/repo/linked.gguf").symlink_to(outside)
    (root / "folder").symlink_to(outside.parent)
    (root / "circle").symlink_to(root)
    snapshot = plant_hub_cache(machine / ".cache/huggingface/hub")
    (snapshot / "stolen.gguf").symlink_to(outside)

    assert set(found()) == {"pub/repo/tiny", "org/tiny", "org/tiny/tiny-q4"}


@pytest.mark.parametrize("digest", ["sha256:../../../../etc/passwd", "../../secret", "sha256:" + "0" * 63 + "/"])
def test_E26_a_manifest_names_no_file_outside_the_blobs(machine: Path, digest: str) -> None:
    plant_ollama(machine / ".ollama/models", digest=digest)
    assert found() == {}


def test_E26_a_split_model_is_one_and_lacks_no_part(machine: Path) -> None:
    folder = machine / ".lmstudio/models/pub/repo"
    for number in (1, 2):
        write_gguf(folder / f"big-0000{number}-of-00002.gguf")
    entry = found()["pub/repo/big"]
    assert entry.facts is not None
    assert entry.facts.parameters == 24
    assert entry.facts.size_bytes == sum(file.stat().st_size for file in folder.iterdir())

    (folder / "big-00002-of-00002.gguf").unlink()
    problem = found()["pub/repo/big"].problem
    assert problem is not None
    assert "00002-of-00002" in problem.message


def test_E26_what_stands_beside_a_model_is_no_model(machine: Path) -> None:
    folder = machine / ".lmstudio/models/pub/repo"
    write_gguf(folder / "tiny.gguf")
    write_gguf(folder / "mmproj-tiny.gguf", kind="mmproj")
    write_gguf(folder / "lora.gguf", kind="adapter")
    (folder / "tiny.gguf.part").write_bytes(b"GGUF")

    entries = found()
    assert set(entries) == {"pub/repo/tiny"}
    facts = entries["pub/repo/tiny"].facts
    assert facts is not None
    assert "vision" in facts.capabilities


def test_E26_a_damaged_file_is_listed_with_its_fault_and_the_others_too(machine: Path) -> None:
    folder = machine / ".lmstudio/models/pub/repo"
    write_gguf(folder / "tiny.gguf")
    (folder / "torn.gguf").write_bytes((folder / "tiny.gguf").read_bytes()[:100])

    entries = found()
    torn = entries["pub/repo/torn"].problem
    assert torn is not None
    assert torn.code == "model-unreadable"
    assert entries["pub/repo/tiny"].facts is not None


def test_E26_two_tools_may_keep_a_model_of_one_name(machine: Path) -> None:
    write_gguf(machine / ".lmstudio/models/pub/repo/tiny.gguf")
    write_gguf(machine / ".cache/lm-studio/models/pub/repo/tiny.gguf")
    assert set(found()) == {"pub/repo/tiny", "lm-studio/pub/repo/tiny"}


@pytest.mark.parametrize("limits", [{"files": 3}, {"depth": 1}, {"seconds": 1e-9}])
def test_E26_a_scan_has_an_end_and_says_that_it_met_it(tmp_path: Path, limits: dict[str, float]) -> None:
    for number in range(5):
        write_gguf(tmp_path / f"{number}/below/further/tiny.gguf")
    walk = Walk(tmp_path, LIMITS.model_copy(update=limits))

    assert len(list(find_models("tree", walk))) < 5
    assert not walk.complete


def test_E26_a_scan_that_was_cancelled_takes_nothing_off_the_list(machine: Path) -> None:
    write_gguf(machine / ".lmstudio/models/pub/repo/tiny.gguf")
    scan()
    scan(cancelled=lambda: True)
    assert [entry.id for entry in list_entries()] == ["pub/repo/tiny"]


def test_a_model_that_was_forgotten_stays_so_until_it_is_recalled(machine: Path) -> None:
    path = write_gguf(machine / ".lmstudio/models/pub/repo/tiny.gguf")
    found()
    forget(path)
    path.touch()
    assert found() == {}
    assert path.exists()
    assert recall(path)
    assert set(found()) == {"pub/repo/tiny"}


def test_E27_the_facts_of_a_gguf_file_are_those_in_its_header(machine: Path) -> None:
    path = write_gguf(machine / ".lmstudio/models/pub/repo/tiny.gguf", template=TEMPLATE + "{{ tools }}")
    facts = found()["pub/repo/tiny"].facts
    assert facts is not None
    assert facts.model_dump() == {
        "format": "gguf",
        "size_bytes": path.stat().st_size,
        "name": "tiny",
        "architecture": "llama",
        "parameters": 12,
        "quantization": "F16",
        "context_length": 512,
        "capabilities": ["chat", "tools"],
        "licence": "apache-2.0",
    }


def test_E27_the_facts_of_a_folder_are_those_in_its_files(machine: Path) -> None:
    plant_hub_cache(machine / ".cache/huggingface/hub")
    facts = found()["org/tiny"].facts
    assert facts is not None
    assert facts.model_dump(exclude={"size_bytes"}) == {
        "format": "safetensors",
        "name": None,
        "architecture": "qwen2",
        "parameters": 8,
        "quantization": "float32",
        "context_length": 256,
        "capabilities": ["chat", "tools"],
        "licence": "mit",
    }


def test_E27_what_a_model_can_do_is_told_from_its_files(machine: Path) -> None:
    root = machine / ".lmstudio/models"
    write_gguf(root / "code.gguf", template=None, tokens=("a", "<|fim_prefix|>"))
    write_folder(root / "bert", model_type="bert")
    write_folder(root / "llava", vision_config={})

    can = {name: entry.facts.capabilities for name, entry in found().items() if entry.facts}
    assert can == {"code": ["infill"], "bert": ["embeddings"], "llava": ["chat", "tools", "vision"]}


def test_E27_a_folder_with_pickles_alone_is_no_model_of_the_library(machine: Path) -> None:
    folder = machine / ".lmstudio/models/old"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "llama"}))
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04")
    assert found() == {}
