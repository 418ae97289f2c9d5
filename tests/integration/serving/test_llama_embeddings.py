"""Embeddings of the real model are the means of its last hidden states."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from peft_engine.inference.contract import AdapterUse
from peft_engine.inference.llama import LlamaEngine
from peft_engine.inference.llama.blocks import BLOCK
from tests.integration.serving.homes import write_adapter

pytestmark = pytest.mark.model
TEXTS = ["The sea is wide.", "Where is my parcel? " * 20, "x"]


@pytest.fixture(scope="module")
def engine(gguf_base: Path) -> Iterator[LlamaEngine]:
    engine = LlamaEngine(gguf_base, context_length=512, threads=1)
    yield engine
    engine.unload()


@torch.inference_mode()
def test_embeddings_are_the_means_that_transformers_computes(engine: LlamaEngine, model_cache: Path) -> None:
    folder = model_cache / "HuggingFaceTB--SmolLM2-135M-Instruct"
    model = AutoModel.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)

    found = engine.embed(TEXTS, ())

    for text, embedding in zip(TEXTS, found, strict=True):
        ids = tokenizer(text, return_tensors="pt")["input_ids"]
        expected = model(ids).last_hidden_state[0].mean(dim=0).numpy()
        assert embedding.tokens == ids.shape[1]
        # llama.cpp rounds activations to eight bits between the layers.
        assert np.dot(embedding.vector, expected) / np.linalg.norm(expected) > 0.995
    assert found[1].tokens > BLOCK
    assert np.dot(found[0].vector, found[1].vector) < 0.98


def test_a_text_has_one_embedding_whatever_was_asked_beside_and_before(engine: LlamaEngine) -> None:
    (alone,) = engine.embed(TEXTS[1:2], ())

    assert engine.embed(TEXTS, ())[1] == alone
    assert np.linalg.norm(alone.vector) == pytest.approx(1)


def test_an_adapter_moves_embeddings_and_leaves_those_of_the_base(engine: LlamaEngine, tmp_path: Path) -> None:
    path = tmp_path / "adapter.gguf"
    write_adapter(path, seed=1)
    before = engine.embed(TEXTS[:1], ())

    assert engine.embed(TEXTS[:1], (AdapterUse(path),)) != before
    assert engine.embed(TEXTS[:1], ()) == before
