"""Making a base ready, once and whole. A stand-in converts here; the real conversion is an integration test."""

import errno
import threading
import time

import pytest

from peft_engine.models import convert
from peft_schemas.errors import WorkbenchError


@pytest.fixture
def gguf(tmp_path):
    path = tmp_path / "w.gguf"
    path.write_bytes(b"GGUF weights")
    return path


def write_model(base, gguf, folder):
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "config.json").write_text("{}")


def test_the_folder_holds_the_model_and_its_gguf(home, gguf, monkeypatch):
    monkeypatch.setattr(convert, "_convert", write_model)
    target = home / "models/org--name"
    convert._convert_once("org/name", gguf, target)
    assert sorted(path.name for path in target.iterdir()) == ["base.gguf", "config.json", "model.safetensors"]
    assert (target / "base.gguf").read_bytes() == gguf.read_bytes()


def test_two_at_once_convert_once(home, gguf, monkeypatch):
    calls = []

    def slowly(base, gguf, folder):
        calls.append(folder)
        time.sleep(0.3)
        write_model(base, gguf, folder)

    monkeypatch.setattr(convert, "_convert", slowly)
    target = home / "models/org--name"
    both = [threading.Thread(target=convert._convert_once, args=("org/name", gguf, target)) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert len(calls) == 1
    assert (target / "config.json").is_file()


def test_what_a_killed_predecessor_left_is_not_taken_for_a_model(home, gguf, monkeypatch):
    monkeypatch.setattr(convert, "_convert", write_model)
    left = home / "models/.org--name.making"
    left.mkdir(parents=True)
    (left / "half").write_bytes(b"")
    convert._convert_once("org/name", gguf, home / "models/org--name")
    assert not left.exists()
    assert not (home / "models/org--name/half").exists()


def test_a_full_disk_leaves_nothing_half_made(home, gguf, monkeypatch):
    def full(base, gguf, folder):
        (folder / "config.json").write_text("{}")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(convert, "_convert", full)
    with pytest.raises(WorkbenchError) as caught:
        convert._convert_once("org/name", gguf, home / "models/org--name")
    assert caught.value.code == "disk-full"
    assert [path.name for path in (home / "models").iterdir()] == [".org--name.lock"]
