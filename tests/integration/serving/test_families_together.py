"""Bases of unlike families, in unlike forms, in one inference process."""

import os
from pathlib import Path

import openai
import pytest
import yaml

from peft_daemon.serving import endpoint
from peft_daemon.serving.launch import ensure_running

pytestmark = pytest.mark.model

WINDOW = 16


def test_I12_a_llama_and_a_mistral_with_its_window_answer_alternately(home: Path, short_base: Path) -> None:
    from tests.integration.models.small import write_small_model

    folder = home / "models"
    folder.mkdir(parents=True)
    os.link(short_base, folder / "llama.gguf")
    write_small_model(folder / "mistral-small", "mistral", sliding_window=WINDOW)
    for name, model in (("llama", "llama.gguf"), ("mistral", "mistral-small")):
        (folder / f"{name}.yaml").write_text(yaml.safe_dump({"model": model, "context_length": 256}))
    record = ensure_running()
    try:
        client = openai.OpenAI(base_url=record.url, api_key=record.token, timeout=300, max_retries=0)

        def say(model: str) -> str:
            # Longer than the window, so that not all of it is looked at.
            answer = client.completions.create(model=model, prompt="a b c d e f g h " * 8, temperature=0, max_tokens=8)
            assert answer.model == model
            assert answer.usage is not None
            assert answer.usage.prompt_tokens > 2 * WINDOW
            return answer.choices[0].text

        said = [(say("llama"), say("mistral")) for _ in range(3)]
        now = endpoint.ask(record)
    finally:
        endpoint.stop()

    assert said[0] == said[1] == said[2]
    assert said[0][0] != said[0][1]
    assert now is not None
    assert sorted(now.loaded) == ["llama", "mistral"]
