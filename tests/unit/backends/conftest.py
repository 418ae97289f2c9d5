import json

import pytest

from peft_engine.rundir.directory import now
from peft_schemas.bench import BackendMeasurement, BackendRun, MeasuredBackend
from peft_schemas.config import RunConfig


@pytest.fixture
def base(tmp_path):
    """The folder of a base model, of which only the config is looked at."""
    folder = tmp_path / "base"
    folder.mkdir()
    config = {"model_type": "llama", "num_hidden_layers": 30, "hidden_size": 576}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def install_unsloth(folder, patch):
    """Lay out an installed distribution of that name, as an interpreter sees it without importing it."""
    record = folder / "site/unsloth-2026.10.9.dist-info"
    record.mkdir(parents=True)
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: unsloth\nVersion: 2026.10.9\n")
    patch.syspath_prepend(str(record.parent))


@pytest.fixture
def unsloth_installed(tmp_path, monkeypatch):
    install_unsloth(tmp_path, monkeypatch)


@pytest.fixture
def config():
    """Return a function that makes a config of sections."""

    def make(**sections):
        data = {"version": 1, "name": "demo", "model": {"base": "gpt2"}, "datasets": [{"path": "train.jsonl"}]}
        return RunConfig.model_validate({**data, **sections})

    return make


@pytest.fixture
def measured():
    """Return a function that makes a measurement of what a choice looks for."""

    def make(choice, *, speed=(100.0, 150.0), loss=(2.0, 2.0), **changes):
        runs = {
            name: [BackendRun(tokens_per_second=rate, peak_memory_bytes=2**30, loss=last)] if rate else []
            for name, rate, last in zip(("transformers", "unsloth"), speed, loss, strict=True)
        }
        fields = {
            "time": now(),
            "base": "gpt2",
            "architecture": choice.architecture,
            "device": choice.device,
            "device_kind": "cpu",
            "method": "lora",
            "quantization": "none",
            "versions": choice.versions,
            "steps": 8,
            "backends": [MeasuredBackend(backend=name, runs=each) for name, each in runs.items()],
            "speed_ratio": speed[1] / speed[0] if all(speed) else None,
            "memory_ratio": 1.0 if all(speed) else None,
        }
        return BackendMeasurement.model_validate({**fields, **changes})

    return make
