"""A folder that is made of a GGUF file cuts texts into the tokens into which llama.cpp cuts them with that file."""

import ctypes
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import llama_cpp as lib
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models

from peft_engine.export.vocabulary import _cut
from peft_engine.models.convertible import conversion_data
from peft_engine.models.cuts import pre_tokenizer_of
from tests.property.strategies import examples

TEXTS = st.lists(
    st.text(max_size=8)
    | st.text("0123456789٣५²½ \t\n'sdtlrevmSDT.,-–東京éÜ🙂", max_size=12)
    | st.integers(0, 10**12).map(str)
    | st.sampled_from(["  ", "\n\n", "they'll", "It's", " 3.14", "v2.0", "<|im_end|>", "\r\n", "\uff11\uff12"]),
    max_size=6,
).map("".join)


@pytest.fixture(scope="module")
def folder(model_cache: Path) -> Path:
    return model_cache / "HuggingFaceTB--SmolLM2-135M-Instruct"


@pytest.fixture(scope="module")
def native(folder: Path) -> Iterator[Callable[[str], list[int]]]:
    """The tokens that llama.cpp makes of a text, from the vocabulary alone."""
    parameters = lib.llama_model_default_params()
    parameters.vocab_only = True
    model = lib.llama_model_load_from_file(str(folder / "base.gguf").encode(), parameters)
    vocabulary = lib.llama_model_get_vocab(model)

    def tokens(text: str) -> list[int]:
        data = text.encode()
        found = (lib.llama_token * (len(data) + 8))()
        count = lib.llama_tokenize(vocabulary, ctypes.c_char_p(data), len(data), found, len(found), False, True)
        return list(found[:count])

    yield tokens
    lib.llama_model_free(model)


@pytest.mark.model
def test_E31_digits_and_spaces_of_any_script_are_cut_as_the_file_says(
    folder: Path, native: Callable[[str], list[int]]
) -> None:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))

    @examples(300)
    @given(TEXTS)
    def same(text: str) -> None:
        assert tokenizer.encode(text, add_special_tokens=False).ids == native(text)

    same()
    assert tokenizer.encode("In 2024").tokens == ["In", "Ġ", "2", "0", "2", "4"]


@pytest.mark.parametrize("name", conversion_data().cuts)
def test_E31_a_way_to_cut_is_known_again_by_the_name_that_it_was_made_from(name: str) -> None:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer_of(name)
    assert _cut(json.loads(tokenizer.to_str())) == name
    assert pre_tokenizer_of("unheard-of") is None
