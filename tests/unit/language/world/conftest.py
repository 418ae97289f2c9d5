"""A folder with a model and data in it, laid out by hand."""

import json
from pathlib import Path

import pytest

TEXT = (
    "version: 1\n"
    "model:\n  base: ./base\n  chat_template: chat.jinja\n"
    "preset: careful\n"
    "datasets:\n  - path: train.jsonl\n  - path: other.jsonl\n    columns: {prompt: question, completion: answer}\n"
    "evaluation:\n  datasets:\n    - path: held.jsonl\n"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "base").mkdir()
    (tmp_path / "base/config.json").write_text(json.dumps({"model_type": "llama", "max_position_embeddings": 512}))
    (tmp_path / "chat.jinja").write_text("{{ '<|user|>' }}")
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets/careful.yaml").write_text("values:\n  training:\n    seed: 7\n")
    (tmp_path / "train.jsonl").write_text('{"text": "a"}\n{"text": "b"}\n')
    (tmp_path / "other.jsonl").write_text('{"question": "a", "answer": "b"}\n')
    (tmp_path / "held.jsonl").write_text('{"text": "c"}\n')
    return tmp_path
