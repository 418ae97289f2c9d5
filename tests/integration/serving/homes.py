"""Making a home worth serving: the real base, adapters with random weights, completed runs."""

import json
from dataclasses import dataclass
from pathlib import Path

import openai

from peft_engine.files import sha256
from peft_engine.rundir import create_run_directory
from peft_engine.rundir.directory import now
from peft_engine.serve_record import ServeRecord
from peft_schemas.events import StateFile
from tests.integration.serving.gguf_files import write_random_adapter

BASE = "HuggingFaceTB/SmolLM2-135M-Instruct"
_LAYERS, _RANK = 30, 4


def write_adapter(path: Path, *, seed: int) -> None:
    """Write an adapter of random weights for the real model."""
    write_random_adapter(path, seed=seed, ranks=[_RANK] * _LAYERS)


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
