"""The child process that makes a base ready: how it ends when it must."""

import dataclasses
import time

import psutil
import pytest

from peft_engine.models import resolve_base
from peft_engine.models.materialise import Cancelled, materialise
from peft_schemas.errors import WorkbenchError

BASE = "HuggingFaceTB/SmolLM2-135M-Instruct"


def half_made(home):
    return [path.name for path in (home / "models").glob("*") if not path.name.endswith(".lock")]


@pytest.mark.model
def test_a_base_that_is_no_longer_wanted_leaves_no_process_and_no_folder(home):
    # A server that other tests share may be a child of this process too.
    before = set(psutil.Process().children(recursive=True))
    began = time.monotonic()
    with pytest.raises(Cancelled):
        materialise(resolve_base(BASE), cancelled=lambda: time.monotonic() - began > 2)
    assert set(psutil.Process().children(recursive=True)) <= before
    assert [name for name in half_made(home) if not name.startswith(".")] == []


def test_a_damaged_file_is_told_in_one_sentence(home, tmp_path):
    (tmp_path / "x.gguf").write_bytes(b"GGUF" + (3).to_bytes(4, "little") + bytes(16))
    with pytest.raises(WorkbenchError) as caught:
        materialise(resolve_base("x.gguf", folder=tmp_path))
    assert caught.value.code == "model-unreadable"
    assert half_made(home) == []


def test_a_hub_that_cannot_be_reached_is_told(home, monkeypatch, tmp_path):
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    # Nothing listens there, which answers at once; the real address would be waited for.
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    resolved = resolve_base("nobody/nothing")
    assert resolved.origin == "hub"
    with pytest.raises(WorkbenchError) as caught:
        materialise(resolved)
    assert caught.value.code == "model-missing"


def test_a_base_that_is_ready_is_returned_as_it_is(tiny_base):
    resolved = resolve_base(str(tiny_base))
    assert materialise(resolved) == resolved
    assert dataclasses.replace(resolved, hf_dir=None) != resolved
