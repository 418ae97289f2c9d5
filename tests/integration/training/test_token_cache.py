"""Datasets tokenised by one run are there for the next, and no entry can be wrong or in the way."""

import os
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from peft_engine.datasets import Conversation, Message, Text
from peft_engine.home import token_cache_dir
from peft_engine.training.data.token_table import TokenTable
from peft_engine.training.data.tokencache import TokenCache
from peft_engine.training.data.tokens import ExampleTokeniser
from tests.integration.training.workshop import finished, losses, of

TALK = Conversation((Message("user", "hi"), Message("assistant", "ho")))
DATA = [TALK, Text("abc"), Text("a" * 100)]


@pytest.fixture
def tokenizer(tiny_base):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_base)


@pytest.fixture
def tokenise(tokenizer):
    return ExampleTokeniser(tokenizer, max_length=64, completion_only=True)


@pytest.fixture
def cache(tmp_path):
    return TokenCache(tmp_path / "tokens")


def same(first, second):
    return all(
        np.array_equal(getattr(first, name), getattr(second, name)) for name in ("ids", "trained", "starts", "cut")
    )


def hits(run):
    return [event.message for event in of(run, "log") if "come from the cache" in event.message]


def test_an_entry_comes_back_as_it_was_kept(cache, tokenise):
    table = TokenTable.of(tokenise(DATA))
    key = cache.key(tokenise, DATA)
    assert cache.get(key) is None
    cache.put(key, table)
    found = cache.get(key)
    assert same(found, table)
    assert found.cut.tolist() == [False, False, True]


def test_an_empty_table_can_be_kept_too(cache):
    cache.put("none", TokenTable.of([None, None]))
    assert cache.get("none").lengths.tolist() == [0, 0]


def test_the_key_follows_whatever_decides_the_tokens(cache, tokenizer, tiny_base):
    from transformers import AutoTokenizer

    def key(tokenizer=tokenizer, examples=DATA, **changes):
        return cache.key(
            ExampleTokeniser(tokenizer, **{"max_length": 64, "completion_only": True, **changes}), examples
        )

    other = AutoTokenizer.from_pretrained(tiny_base)
    other.chat_template = "{{ messages[0].content }}"
    larger = AutoTokenizer.from_pretrained(tiny_base)
    larger.add_tokens(["hello"])
    ended = AutoTokenizer.from_pretrained(tiny_base, eos_token="<|endoftext|>")
    keys = [
        key(),
        key(max_length=65),
        key(completion_only=False),
        key(other),
        key(larger),
        key(ended),
        key(examples=DATA[:2]),
        key(examples=[DATA[1], DATA[0], DATA[2]]),
        key(examples=[Text("ab"), Text("c")]),
        key(examples=[Text("a"), Text("bc")]),
        key(examples=[Conversation((Message("system", "hi"), Message("assistant", "ho")))]),
    ]
    assert len(set(keys)) == len(keys)
    assert key() == key(AutoTokenizer.from_pretrained(tiny_base))


@pytest.mark.parametrize("at", [0, 7, 100, -1])
def test_a_damaged_entry_is_as_good_as_none(cache, tokenise, tmp_path, at):
    cache.put("k", TokenTable.of(tokenise(DATA)))
    (entry,) = (tmp_path / "tokens").iterdir()
    content = bytearray(entry.read_bytes())
    content[at] ^= 0x20
    entry.write_bytes(content)
    assert cache.get("k") is None
    entry.write_bytes(content[: len(content) // 2])
    assert cache.get("k") is None
    cache.put("k", TokenTable.of(tokenise(DATA)))
    assert cache.get("k") is not None


def test_the_least_recently_used_entries_go_when_room_is_short(tokenise, tmp_path):
    table = TokenTable.of(tokenise(DATA))
    folder = tmp_path / "tokens"
    TokenCache(folder).put("size", table)
    size = (folder / "size.safetensors").stat().st_size
    (folder / "size.safetensors").unlink()
    cache = TokenCache(folder, limit_bytes=3 * size)
    for age, key in enumerate(["a", "b", "c"]):
        cache.put(key, table)
        os.utime(folder / f"{key}.safetensors", (1000 + age, 1000 + age))
    assert cache.get("a") is not None
    cache.put("d", table)
    assert sorted(path.stem for path in folder.iterdir()) == ["a", "c", "d"]


def test_what_a_killed_run_left_half_written_goes_after_a_day(cache, tokenise, tmp_path):
    folder = tmp_path / "tokens"
    folder.mkdir()
    for name, age in (("old", 2 * 24 * 3600), ("young", 60)):
        (folder / f".{name}.making").write_bytes(b"half")
        os.utime(folder / f".{name}.making", (time.time() - age,) * 2)
    cache.put("k", TokenTable.of(tokenise(DATA)))
    assert sorted(path.name for path in folder.iterdir()) == [".young.making", "k.safetensors"]


def test_a_cache_that_cannot_be_written_fails_nothing(tokenise, tmp_path):
    (tmp_path / "file").write_text("in the way")
    cache = TokenCache(tmp_path / "file")
    cache.put("k", TokenTable.of(tokenise(DATA)))
    assert cache.get("k") is None


def test_many_runs_at_once_see_a_whole_entry_or_none(cache, tokenise):
    table = TokenTable.of(tokenise(DATA))

    def work(number):
        cache.put("k", table)
        found = cache.get("k")
        return found is None or same(found, table)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(64)))
    assert cache.get("k") is not None


def test_the_second_run_on_the_same_data_takes_the_tokens_of_the_first(workshop):
    first, second = workshop.make(), workshop.make(training={"learning_rate": 0.01, "packing": False})
    assert finished(first).type == finished(second).type == "completed"
    assert hits(first) == []
    assert hits(second) == ["The 24 examples of train.jsonl were tokenised before and come from the cache."]
    assert losses(first) == losses(second)


def test_a_run_with_a_damaged_cache_trains_as_with_none(workshop):
    first, second = workshop.make(), workshop.make()
    assert finished(first).type == "completed"
    (entry,) = token_cache_dir().iterdir()
    entry.write_bytes(entry.read_bytes()[:-3])
    assert finished(second).type == "completed"
    assert hits(second) == []
    assert losses(first) == losses(second)


def test_an_example_that_stands_twice_is_tokenised_once_and_used_twice(workshop):
    path = workshop.dataset(count=8)
    path.write_text(path.read_text() * 2)
    run = workshop.make()
    assert finished(run).type == "completed"
    assert of(run, "plan")[0].examples == 16
    (entry,) = token_cache_dir().iterdir()
    assert len(TokenCache(token_cache_dir()).get(entry.stem)) == 8
