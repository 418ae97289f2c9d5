"""A conversion as the editor asks for it: its progress, its end, one at a time, and the result in the library."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.models.small import write_small_model
from tests.integration.serving.editor import Editor


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_model(tmp_path_factory.mktemp("model") / "base")


@pytest.fixture
async def editor() -> AsyncIterator[Editor]:
    editor = Editor()
    await editor.start()
    yield editor
    await editor.stop()


def wanted(name: str, model: Path, output: Path, to: str = "gguf:f16") -> dict[str, Any]:
    return {"request_id": name, "model": str(model), "to": to, "output": str(output)}


def steps(editor: Editor, name: str) -> list[str]:
    told = editor.of("peft/models/progress")
    return [one["progress"]["step"] for one in told if one["request_id"] == name]


async def test_E25_a_conversion_tells_how_far_it_is_and_its_result_is_in_the_library(
    editor: Editor, base: Path, tmp_path: Path
) -> None:
    offers = (await editor.ask("peft/models/offers", {"id": str(base)}))["offers"]
    assert {"gguf:f16", "gguf:q4_k_m"} <= {offer["to"] for offer in offers}

    done = await editor.ask("peft/models/convert", wanted("1", base, tmp_path / "small.gguf"))
    assert done["result"]["difference"] <= done["result"]["tolerance"]
    assert Path(done["result"]["output"]).stat().st_size == done["result"]["bytes"]
    assert steps(editor, "1")[-1] == "comparing with the source"
    assert len(steps(editor, "1")) > 3
    assert done["model"]["id"] == "small"
    listed = (await editor.ask("peft/models/list", {}))["models"]
    assert [model["path"] for model in listed if model["id"] == "small"] == [str(tmp_path / "small.gguf")]
    assert editor.of("peft/models/changed")

    again = await editor.ask("peft/models/offers", {"id": "small"})
    assert "gguf:q8_0" in {offer["to"] for offer in again["offers"]}


async def test_E25_a_second_conversion_to_the_same_output_is_refused_and_a_cancel_leaves_nothing(
    editor: Editor, base: Path, tmp_path: Path
) -> None:
    first, answer = editor.request("peft/models/convert", wanted("1", base, tmp_path / "x.gguf"))
    await editor.until(lambda: len(steps(editor, "1")) > 0)
    _, refused = editor.request("peft/models/convert", wanted("2", base, tmp_path / "x.gguf"))
    # The first may be done before the second one's process has begun: then it is refused for what is there.
    assert (await refused)["error"]["data"]["code"] in ("conversion-active", "conversion-failed")
    await editor.tell("$/cancelRequest", {"id": first})
    cancelled = await answer
    assert ("error" in cancelled) == (not (tmp_path / "x.gguf").exists())

    third, answer = editor.request("peft/models/convert", wanted("3", base, tmp_path / "y.gguf"))
    await editor.until(lambda: len(steps(editor, "3")) > 0)
    await editor.tell("$/cancelRequest", {"id": third})
    given_up = "error" in await answer
    assert {path.name for path in tmp_path.iterdir()} <= {"x.gguf", "y.gguf"}
    assert given_up == (not (tmp_path / "y.gguf").exists())
    listed = (await editor.ask("peft/models/list", {}))["models"]
    assert given_up == ("y" not in {model["id"] for model in listed})


async def test_E25_an_unsupported_pair_is_refused_with_the_reason(editor: Editor, tmp_path: Path) -> None:
    strange = tmp_path / "strange"
    strange.mkdir()
    (strange / "config.json").write_text(json.dumps({"model_type": "unheard_of"}))
    (strange / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    offers = await editor.ask("peft/models/offers", {"id": str(strange)})
    assert (offers["offers"], "unheard_of" in offers["reason"]) == ([], True)
    _, answer = editor.request("peft/models/convert", wanted("1", strange, tmp_path / "x", to="gguf:q9_9"))
    error = (await answer)["error"]["data"]
    assert (error["code"], "Nothing is converted to gguf:q9_9" in error["message"]) == ("conversion-failed", True)
