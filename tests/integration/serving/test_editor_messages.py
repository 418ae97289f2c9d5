"""Chat and service messages between an editor and the daemon, with the real model."""

import os
import signal
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from peft_daemon.serving import endpoint
from peft_engine.serve_record import ServeRecord
from peft_schemas.chat import ChatModelsResult, ChatResult
from tests.integration.serving.editor import Editor
from tests.integration.serving.homes import BASE, complete_run

pytestmark = pytest.mark.model


@pytest.fixture
async def editor(own_process: Callable[[], ServeRecord]) -> AsyncIterator[Editor]:
    editor = Editor()
    await editor.start()
    yield editor
    await editor.stop()


def question(name: str, *, model: str = BASE, **more: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": "Tell me about the sea."}]
    return {"request_id": name, "model": model, "messages": messages, "max_tokens": 12, **more}


def text_of(editor: Editor, name: str) -> str:
    return "".join(delta["text"] for delta in editor.of("peft/chat/delta") if delta["request_id"] == name)


async def test_models_are_listed_without_starting_anything(editor: Editor) -> None:
    adapter = complete_run("notes", seed=1)
    models = ChatModelsResult.model_validate(await editor.ask("peft/chat/models", {})).models

    assert [model.id for model in models] == [BASE, adapter]
    assert models[1].run_id == "notes-1"
    assert (await editor.ask("peft/serve/status", {}))["state"] == "stopped"
    assert endpoint.find() is None


async def test_I3_an_answer_streams_and_its_pieces_are_the_whole(editor: Editor) -> None:
    adapter = complete_run("notes", seed=1)
    base = ChatResult.model_validate(await editor.ask("peft/chat/complete", question("1")))
    tuned = ChatResult.model_validate(await editor.ask("peft/chat/complete", question("2", model=adapter)))

    assert base.finish_reason == tuned.finish_reason == "length"
    assert base.completion_tokens == 12
    assert base.text
    assert base.text != tuned.text
    assert text_of(editor, "1") == base.text
    assert text_of(editor, "2") == tuned.text
    assert len(editor.of("peft/chat/delta")) > 4


async def test_the_editor_hears_how_the_service_comes_and_goes(editor: Editor) -> None:
    await editor.ask("peft/chat/complete", question("1"))
    states = [status["state"] for status in editor.of("peft/serve/changed")]
    assert states[0] == "starting"
    assert editor.of("peft/serve/changed")[-1]["loaded"] == [BASE]

    record = endpoint.find()
    assert record is not None
    os.kill(record.pid, signal.SIGKILL)
    await editor.until(lambda: editor.of("peft/serve/changed")[-1]["state"] == "error")
    assert "ended without a word" in editor.of("peft/serve/changed")[-1]["error"]["message"]

    again = ChatResult.model_validate(await editor.ask("peft/chat/complete", question("2")))
    assert again.finish_reason == "length"
    assert (await editor.ask("peft/serve/stop", {}))["state"] == "stopped"
    assert endpoint.find() is None


async def test_I3_a_cancelled_request_stops_the_computation_and_keeps_what_was_said(editor: Editor) -> None:
    params = question("1", max_tokens=8000, temperature=0)
    number, response = editor.request("peft/chat/complete", params)
    await editor.until(lambda: len(editor.of("peft/chat/delta")) >= 3)
    await editor.tell("$/cancelRequest", {"id": number})

    result = ChatResult.model_validate((await response)["result"])
    assert result.finish_reason == "cancelled"
    assert text_of(editor, "1").startswith(result.text)
    assert result.text

    def idle() -> bool:
        record = endpoint.find()
        now = endpoint.ask(record) if record else None
        return now is not None and not any(model.active for model in now.models)

    await editor.until(idle)


async def test_an_unknown_model_is_an_error_in_the_result(editor: Editor) -> None:
    result = ChatResult.model_validate(await editor.ask("peft/chat/complete", question("1", model="no/such")))

    assert result.finish_reason == "error"
    assert result.error is not None
    assert result.error.code == "model-missing"
    assert BASE in result.error.remedy
