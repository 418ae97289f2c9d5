"""A context is never longer than the positions that a base knows: llama.cpp ends the process that asks for one more."""

from pathlib import Path

import pytest

from peft_engine.inference.contract import Tokens
from peft_engine.inference.llama import LlamaEngine
from peft_schemas.errors import WorkbenchError
from tests.integration.serving.engines.asking import answer, request

pytestmark = pytest.mark.model


def test_a_base_that_learned_its_positions_promises_no_more_of_them(tmp_path: Path) -> None:
    from tests.integration.serving.engines.learned_positions import POSITIONS, write_learned_positions_gguf

    file = write_learned_positions_gguf(tmp_path / "learned.gguf")
    engine = LlamaEngine(file, context_length=4 * POSITIONS, threads=1)
    try:
        assert engine.context_length == POSITIONS
        full = answer(engine, request(Tokens(tuple(range(1000, 1060))), max_tokens=None))[0]
        assert full.prompt_tokens + full.completion_tokens <= POSITIONS
        with pytest.raises(WorkbenchError) as refused:
            engine.open(request(Tokens(tuple(range(1000, 1000 + POSITIONS)))))
    finally:
        engine.unload()
    assert refused.value.code == "context-exceeded"
