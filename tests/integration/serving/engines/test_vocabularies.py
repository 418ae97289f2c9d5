"""What becomes of texts and special tokens, in each kind of tokenizer and in each form that it is stored in."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peft_engine.inference.prompts import PromptVocabulary
from tests.property.strategies import examples

pytestmark = pytest.mark.model

KINDS: dict[str, dict[str, Any]] = {
    "bytes": {"cut": "smollm"},
    "bytes as Llama 3 cuts": {"cut": "llama-bpe"},
    "pieces": {"pieces": True},
}
"""How small models are written. `pieces` merges as SentencePiece does, with bytes for what it has no piece for."""


@dataclass(frozen=True)
class Stored:
    """A tokenizer in one of its forms, with what a test asks of it beside prompts."""

    vocabulary: Any
    begins_with_space: bool
    """Whether a text is begun with a space, as SentencePiece does."""

    def written(self, tokens: Any) -> str:
        """Return the text of tokens, special ones left out."""
        text = b"".join(self.vocabulary.piece(token) for token in tokens).decode()
        return text.removeprefix(" ") if self.begins_with_space else text


@pytest.fixture(scope="module", params=KINDS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.integration.models.small import write_small_model

    return write_small_model(tmp_path_factory.mktemp("kind") / "model", **KINDS[request.param])


@pytest.fixture(scope="module")
def stored(folder: Path) -> Iterator[dict[str, Stored]]:
    """The same tokenizer as a folder has it and as a GGUF file has it."""
    from peft_engine.export.model_gguf import write_model_gguf
    from peft_engine.inference.hf_vocabulary import Vocabulary
    from peft_engine.inference.llama.weights import Weights

    write_model_gguf(folder, folder / "model.gguf", "f32")
    weights = Weights(folder / "model.gguf")
    fast = Vocabulary(folder)
    fast.settle(size=weights.vocabulary.size, ends=())
    # A piece that begins a text is written with the mark of a space.
    begins_with_space = weights.vocabulary.piece(weights.vocabulary.tokenize("a")[0]).startswith(b" ")
    yield {
        "folder": Stored(fast, begins_with_space),
        "gguf": Stored(weights.vocabulary, begins_with_space),
    }
    weights.unload()


_PLAIN = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn", "Co"]), max_size=60).map(str.strip)


@examples(60)
@given(text=_PLAIN)
def test_E31_a_plain_text_is_written_as_it_was_read(stored: dict[str, Stored], text: str) -> None:
    for form, one in stored.items():
        assert one.written(one.vocabulary.tokenize(text)) == text, form


@examples(60)
@given(text=_PLAIN)
def test_E31_both_forms_read_a_text_alike(stored: dict[str, Stored], text: str) -> None:
    assert list(stored["folder"].vocabulary.tokenize(text)) == list(stored["gguf"].vocabulary.tokenize(text))


def test_E31_special_tokens_are_one_token_each_and_no_text(stored: dict[str, Stored]) -> None:
    for one in stored.values():
        vocabulary = one.vocabulary
        (end,) = vocabulary.tokenize_rendered("<|im_end|>")[-1:]
        assert vocabulary.piece(end) == b""
        assert vocabulary.spelling(end) == b"<|im_end|>"
        assert vocabulary.ends_answer(end)
        assert not any(vocabulary.ends_answer(token) for token in vocabulary.tokenize("An end of no turn."))


def test_E31_a_text_that_is_cut_into_halves_of_characters_is_whole_again(stored: dict[str, Stored]) -> None:
    for one in stored.values():
        tokens = one.vocabulary.tokenize("𝄞🦜")
        assert len(tokens) > 2
        assert one.written(tokens) == "𝄞🦜"


BEGINNINGS: dict[str, tuple[bool, str, bool]] = {
    "a text, to a tokenizer that begins texts": (True, "Hello", True),
    "a text, to one that does not": (False, "Hello", False),
}
"""Whether the tokenizer begins texts, what is read, and whether the first special token stands before it."""


@pytest.mark.parametrize("case", BEGINNINGS)
def test_E31_a_text_begins_with_a_special_token_where_the_tokenizer_says_so(tmp_path: Path, case: str) -> None:
    begins, text, expected = BEGINNINGS[case]
    for vocabulary in _with_beginning(tmp_path, begins=begins):
        first = vocabulary.tokenize(text)[0]
        assert (vocabulary.tokenize_rendered(vocabulary.bos_text)[0] == first) == expected


def test_E31_a_prompt_in_which_a_template_wrote_the_first_token_gets_no_second_one(tmp_path: Path) -> None:
    for vocabulary in _with_beginning(tmp_path, begins=True):
        tokens = list(vocabulary.tokenize_rendered(f"{vocabulary.bos_text}Hello"))
        assert tokens.count(tokens[0]) == 1
        assert tokens == list(vocabulary.tokenize("Hello"))


def test_E31_a_prompt_in_which_a_template_wrote_no_first_token_gets_none(tmp_path: Path) -> None:
    for vocabulary in _with_beginning(tmp_path, begins=True):
        assert list(vocabulary.tokenize_rendered("Hello")) == list(vocabulary.tokenize("Hello"))[1:]


def _with_beginning(folder: Path, *, begins: bool) -> Iterator[PromptVocabulary]:
    """Yield a tokenizer that begins texts with a special token, or not, in each form."""
    from tokenizers import processors
    from transformers import PreTrainedTokenizerFast

    from peft_engine.export.model_gguf import write_model_gguf
    from peft_engine.inference.hf_vocabulary import Vocabulary
    from peft_engine.inference.llama.weights import Weights
    from tests.integration.models.small import write_small_model

    write_small_model(folder)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    if begins:
        raw = tokenizer.backend_tokenizer
        raw.post_processor = processors.TemplateProcessing(
            single=f"{tokenizer.bos_token} $A", special_tokens=[(tokenizer.bos_token, tokenizer.bos_token_id)]
        )
        made = PreTrainedTokenizerFast(
            tokenizer_object=raw, bos_token=tokenizer.bos_token, eos_token=tokenizer.eos_token
        )
        made.chat_template = tokenizer.chat_template
        made.save_pretrained(folder)
    fast = Vocabulary(folder)
    fast.settle(size=len(tokenizer), ends=())
    yield fast
    write_model_gguf(folder, folder / "model.gguf", "f32")
    weights = Weights(folder / "model.gguf")
    yield weights.vocabulary
    weights.unload()
