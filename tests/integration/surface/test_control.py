"""What is in memory, changing it, and watching it."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.serving.homes import BASE
from tests.integration.surface.conftest import Surface

SAY = {"model": "default", "messages": [{"role": "user", "content": "Recite."}]}


@pytest.mark.parametrize("by_path", [True, False])
def test_J8_after_a_switch_default_stands_for_the_new_model_and_a_bad_id_changes_nothing(
    surface: Surface, by_path: bool
) -> None:
    def switch(model: str) -> int:
        if by_path:
            return surface.post(f"/v1/models/{model}/switch").status_code
        return surface.post("/models/switch", {"model": model}).status_code

    for model in (surface.adapter, BASE):
        assert switch(model) == 200
        assert switch("nobody/nothing") == 404
        assert surface.get("/models/status").json()["model"] == model
        assert surface.post("/v1/chat/completions", SAY).json()["model"] == model


def test_J9_the_status_says_what_is_in_memory(surface: Surface) -> None:
    loaded = surface.post("/models/load", {"model": surface.adapter}).json()

    assert loaded["state"] == "running"
    assert loaded["loaded"] == [BASE]
    assert loaded["models"][0]["state"] == "ready"
    assert loaded["url"] == f"{surface.root}/v1"
    assert loaded == surface.get("/models/status").json()


def test_J1_a_model_that_is_unloaded_says_so(surface: Surface) -> None:
    surface.post("/models/load", {"model": BASE})
    assert surface.get(f"/v1/models/{BASE}").json()["status"] == "ready"

    surface.post("/models/unload", {"model": surface.adapter})
    card = surface.get(f"/v1/models/{BASE}").json()
    assert (card["status"], card["loaded"], card["memory_bytes"]) == ("none", False, 0)


def test_J1_the_speed_of_a_model_is_there_once_it_has_answered(surface: Surface) -> None:
    surface.post("/v1/chat/completions", {**SAY, "model": surface.adapter})

    assert surface.get(f"/v1/models/{surface.adapter}").json()["tokens_per_second"] > 0


def test_the_figures_are_prometheus_and_rise(surface: Surface) -> None:
    def figures() -> dict[tuple[str, str], float]:
        families = text_string_to_metric_families(surface.get("/metrics").text)
        return {
            (sample.name, "".join(sample.labels.values())): sample.value
            for family in families
            for sample in family.samples
        }

    before = figures()
    surface.post("/v1/chat/completions", {**SAY, "model": surface.adapter, "max_tokens": 3})
    surface.post("/v1/embeddings", {"model": BASE, "input": [1, 2, 3, 4]})
    after = figures()

    def risen(name: str, label: str = "") -> float:
        return after[name, label] - before.get((name, label), 0)

    assert risen("peftw_generated_tokens_total") == 3
    assert risen("peftw_embedded_tokens_total") == 4
    assert risen("peftw_requests_total", surface.adapter) == 1
    assert risen("peftw_first_token_seconds_count") == 1
    assert after["peftw_model_memory_bytes", BASE] == 123
    assert after["peftw_kept_prompts_bytes", BASE] == 23


def test_a_text_is_tokenised_by_a_model_in_memory_and_none_is_loaded_for_it(surface: Surface) -> None:
    asked = {"model": surface.adapter, "prompt": "wörd"}
    surface.post("/models/load", {"model": BASE})
    answer = surface.post("/tokenize", asked).json()
    assert answer["tokens"] == list("wörd".encode())
    assert answer["count"] == 5
    assert answer["max_model_len"] == surface.get(f"/v1/models/{BASE}").json()["context_length"]

    surface.post("/models/unload", {"model": BASE})
    refused = surface.post("/tokenize", asked)
    assert refused.status_code == 409
    assert refused.json()["error"]["code"] == "model-not-loaded"
    assert surface.get("/models/status").json()["loaded"] == []
