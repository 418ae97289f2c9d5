"""Terms of the trade: each is found in any text, and never inside another word."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peft_daemon.language.glossary import explained, glossary, terms_in
from peft_engine.config.schema import walk
from tests.property.strategies import examples

SPELLINGS = [(spelling, name) for name, term in glossary().items() for spelling in (name, *term.also)]
JARGON = re.compile(
    r"\b(gradients?|tokens?|epochs?|adapters?|optimizer|scheduler|warm-up|rank|quantiz\w+|activations?|logits?|perplexity|"
    r"embeddings?|entropy|regulari[sz]\w+|hyperparameters?|inference|backprop\w*|overfitting|dropout|checkpoints?|"
    r"attention|packing|padding|context length|loss)\b",
    re.IGNORECASE,
)
"""Words that a newcomer does not know. The test can be made stricter by adding one."""

edges = st.sampled_from(["", " ", ". ", ", ", "(", ")", "`", "'", "\n", "😀", ": "])
words = st.sampled_from(["", "the", "a run", "é", "12", "Das"])


@examples(200)
@given(st.sampled_from(SPELLINGS), words, edges, edges, words, st.sampled_from([str, str.upper, str.capitalize]))
def test_S8_each_term_in_any_text_gets_its_entry(term, before, left, right, after, case) -> None:
    spelling, name = term
    left = left or (" " if before else "")
    right = right or (" " if after else "")
    text = f"{before}{left}{case(spelling)}{right}{after}"
    assert name in terms_in(text)
    assert glossary()[name].meaning in explained(text)


@examples(200)
@given(st.sampled_from(SPELLINGS), st.sampled_from(["x", "_", "9", "é", "-x", "_size", "ß"]), st.booleans())
def test_S8_no_term_is_found_inside_another_word(term, letters: str, behind: bool) -> None:
    spelling, name = term
    text = f"{spelling}{letters}" if behind else f"{letters.strip('-')}{spelling}"
    within = {other for other, _ in SPELLINGS if other != spelling and other.lower() in text.lower()}
    if text.lower() not in {known.lower() for known, _ in SPELLINGS} and not within:
        assert name not in terms_in(text)


@examples(100)
@given(st.text())
def test_S8_any_text_keeps_its_words(text: str) -> None:
    assert explained(text).startswith(text)


def test_the_longer_of_two_terms_is_meant() -> None:
    assert terms_in("A chat template.") == ["chat template"]
    assert terms_in("Use LoRA+ or LoRA.") == ["LoRA+", "LoRA"]
    assert terms_in("`method.rank`, batch_size, QLoRA") == ["QLoRA"]


def test_S8_the_glossary_uses_each_spelling_once_and_explains_more_than_the_word() -> None:
    spellings = [spelling.lower() for spelling, _ in SPELLINGS]
    assert len(set(spellings)) == len(spellings)
    for name, term in glossary().items():
        assert term.meaning[-1] == "."
        assert len(term.meaning.split()) > 4, name


@pytest.mark.parametrize(("path", "key"), list(walk()), ids=[path for path, _ in walk()])
def test_A12_the_text_of_every_key_is_plain_or_explained(path: str, key) -> None:
    text = key.description
    assert len(text.split()) >= 2, path
    prose = re.sub(r"`[^`]*`", " ", text)
    explained_words = " ".join(spelling.lower() for spelling, name in SPELLINGS if name in terms_in(prose))
    shouted = [word for word in re.findall(r"[\w+-]+", prose) if re.search(r".[A-Z]|[A-Za-z]\d", word)]
    for word in [*shouted, *(match.group() for match in JARGON.finditer(prose))]:
        assert word.lower() in explained_words, f"{path}: {word} is not in the glossary"
