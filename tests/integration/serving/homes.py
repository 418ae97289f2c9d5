"""Making a home worth serving: the real base, adapters with random weights, completed runs."""

import json
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
import openai

from peft_engine.files import sha256
from peft_engine.rundir import create_run_directory
from peft_engine.rundir.directory import now
from peft_engine.serve_record import ServeRecord
from peft_schemas.events import StateFile

BASE = "HuggingFaceTB/SmolLM2-135M-Instruct"
_LAYERS, _WIDTH, _RANK = 30, 576, 4


def write_adapter(path: Path, *, seed: int) -> None:
    """Write a LoRA adapter of random weights, strong enough to change every answer."""
    random = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_string("general.type", "adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(_RANK))
    for layer in range(_LAYERS):
        down = random.normal(0, 0.05, (_RANK, _WIDTH)).astype(np.float32)
        up = random.normal(0, 0.4, (_WIDTH, _RANK)).astype(np.float32)
        writer.add_tensor(f"blk.{layer}.attn_output.weight.lora_a", down)
        writer.add_tensor(f"blk.{layer}.attn_output.weight.lora_b", up)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def complete_run(name: str, *, seed: int) -> str:
    """Make the directory of a completed run under `PEFTW_HOME` and return its chat model's id."""
    run = create_run_directory(name)
    write_adapter(run.gguf, seed=seed)
    run.resolved.write_text(json.dumps({"config": {"model": {"base": BASE}}, "source": str(run.path / "x.peft.yaml")}))
    time = now()
    run.write_state(
        StateFile(
            run_id=run.id,
            name=name,
            state="completed",
            pid=None,
            started=None,
            created=time,
            updated=time,
            base=BASE,
            config_path=str(run.path / "x.peft.yaml"),
            step=1,
            total_steps=1,
        )
    )
    run.write_manifest({"adapter.gguf": sha256(run.gguf)})
    return f"{BASE}:{run.id}"


@dataclass(frozen=True)
class Served:
    """A home that is served."""

    home: Path
    record: ServeRecord
    first: str
    """The id of the base with the first adapter."""

    second: str

    def client(self) -> openai.OpenAI:
        """Return the official client, with time for a loaded machine and no second tries."""
        return openai.OpenAI(base_url=self.record.url, api_key=self.record.token, timeout=300, max_retries=0)

    def say(self, model: str, question: str, *, max_tokens: int = 24) -> str:
        """Return the most likely answer."""
        answer = self.client().chat.completions.create(
            model=model, messages=[{"role": "user", "content": question}], temperature=0, max_tokens=max_tokens
        )
        return answer.choices[0].message.content or ""
