"""Attack 6: GGUF files whose headers lie (CVE-2025-53630, CVE-2026-7482, CVE-2026-27940).

Each is refused before llama.cpp sees it, as a base and as an adapter, and what passes the reader is tried in a child
process, so that this one survives whatever C++ makes of it.
"""

import random
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from peft_engine.inference import loading
from peft_engine.inference.loading import load_engine, try_in_child
from peft_engine.models.damage import DamagedFile
from peft_engine.models.gguf_header import check_gguf
from peft_engine.models.validation import require_sound
from peft_schemas.errors import WorkbenchError
from tests.integration.models.small import write_small_model
from tests.property.strategies import FUZZ
from tests.unit.models.gguf_files import Gguf, Tensor
from tests.unit.models.test_gguf_header import LIES

MUTANTS = 4 * max(FUZZ, 1)
"""Of those that pass the reader, each tried by llama.cpp in a child, which takes a second."""


def servable(path: Path):  # type: ignore[no-untyped-def]
    """The catalog's entry of a GGUF file, of which loading reads only these."""

    class Entry:
        format = "gguf"
        weights = path
        base = path.name
        context_length = 64

    return Entry()


@pytest.mark.parametrize("lie", LIES)
def test_E14_a_base_that_lies_is_refused_before_anything_native_sees_it(
    tmp_path: Path, lie: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.gguf"
    content = LIES[lie]
    path.write_bytes(content if isinstance(content, bytes) else content.written())
    monkeypatch.setattr(loading, "try_in_child", lambda *_: pytest.fail("llama.cpp was asked"))
    with pytest.raises(WorkbenchError) as error:
        load_engine(servable(path), lambda *_: True, threads=1)
    assert error.value.code in ("model-damaged", "model-truncated", "not-supported")


def test_E14_an_adapter_that_lies_is_refused_as_a_base_is(tmp_path: Path) -> None:
    path = tmp_path / "adapter.gguf"
    path.write_bytes(Gguf(tensors=[Tensor(shape=(2**32, 2**32))]).written())
    with pytest.raises(WorkbenchError) as error:
        require_sound(path)
    assert error.value.code == "model-truncated"


@pytest.mark.skipif(find_spec("llama_cpp") is None, reason="llama-cpp-python is not installed")
def test_E14_what_passes_the_reader_is_tried_in_a_child_and_this_process_survives(tmp_path: Path) -> None:
    from peft_engine.export.model_gguf import write_model_gguf

    write_model_gguf(write_small_model(tmp_path / "model"), tmp_path / "sound.gguf", "f32")
    sound = (tmp_path / "sound.gguf").read_bytes()
    header = sound.index(b"token_embd.weight")
    chance, passed = random.Random(6), 0
    while passed < MUTANTS:
        content = bytearray(sound)
        for _ in range(chance.randint(1, 3)):
            place = chance.randrange(24, header)
            content[place] = chance.choice([0, 1, 0x7F, 0x80, 0xFF, content[place] ^ 1 << chance.randrange(8)])
        path = tmp_path / f"mutant{passed}.gguf"
        path.write_bytes(content)
        try:
            check_gguf(path)
        except DamagedFile:
            continue
        passed += 1
        try:
            try_in_child(path, lambda *_: True)
        except WorkbenchError as error:
            assert error.code in ("model-unreadable", "serve-failed", "out-of-memory")
            assert error.message


@pytest.mark.skipif(find_spec("llama_cpp") is None, reason="llama-cpp-python is not installed")
@pytest.mark.parametrize(
    ("damage", "code", "words"),
    [
        # Each token for a byte has another name, so a text that needs one ends the process.
        (lambda file: file.replace(b"<0x", b"<0y"), "serve-failed", "crashes"),
        # All bits of a float32 are set: no number.
        (lambda file: file[: -(2**16)] + b"\xff" * 2**16, "model-unreadable", "computes no numbers"),
    ],
    ids=["vocabulary", "weights"],
)
def test_E14_what_would_fail_at_the_first_answer_fails_in_the_trial(
    tmp_path: Path, damage: Callable[[bytes], bytes], code: str, words: str
) -> None:
    from peft_engine.export.model_gguf import write_model_gguf

    path = tmp_path / "hostile.gguf"
    write_model_gguf(write_small_model(tmp_path / "model", pieces=True), path, "f32")
    try_in_child(path)
    path.write_bytes(damage(path.read_bytes()))
    check_gguf(path)

    with pytest.raises(WorkbenchError, match=words) as error:
        try_in_child(path)
    assert error.value.code == code
