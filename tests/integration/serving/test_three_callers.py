"""The editor's protocol, the HTTP API and the command are three ways to one answer."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.serving.editor import Editor
from tests.integration.serving.homes import Served

pytestmark = pytest.mark.model
QUESTION = "Tell me about the sea."


async def test_I5_editor_api_and_command_give_equal_texts(served: Served) -> None:
    editor = Editor()
    await editor.start()
    asked = {"messages": [{"role": "user", "content": QUESTION}], "max_tokens": 12, "temperature": 0}
    by_editor = await editor.ask("peft/chat/complete", {"request_id": "1", "model": served.first, **asked})
    await editor.stop()
    command = [str(Path(sys.executable).with_name("peftw")), "chat", "--model", served.first, "--json"]
    by_command = subprocess.run(
        [*command, "--max-tokens", "12", "--prompt", QUESTION], capture_output=True, text=True, timeout=300, check=True
    )

    text = served.say(served.first, QUESTION, max_tokens=12)
    assert text
    assert by_editor["text"] == text
    assert json.loads(by_command.stdout)["text"] == text
