"""Questions about the world and their answers, asked in this process and over the pipe."""

import json
import subprocess
import sys

import pytest
from pydantic import TypeAdapter

from peft_engine.look import Answer, AskDataset, AskHardware, AskModel, AskTemplate, AskTokens
from peft_engine.look.answers import answer
from peft_schemas.config import ColumnsConfig


def model(folder, base="base"):
    return AskModel(base, None, str(folder))


def dataset(path):
    return AskDataset(str(path), "auto", ColumnsConfig())


@pytest.fixture
def base(tmp_path):
    folder = tmp_path / "base"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"max_position_embeddings": 512}))
    return folder


def test_an_answer_carries_the_state_of_the_files_it_rests_on(tmp_path, base):
    found = answer(model(tmp_path))
    assert found.model.context_length == 512
    assert found.stamps[str(base / "config.json")] is not None
    assert found.stamps[str(base / "chat_template.jinja")] is None
    (base / "chat_template.jinja").write_text("{{ messages }}")
    assert answer(model(tmp_path)).stamps != found.stamps


@pytest.mark.parametrize("name", ["absent", "~nobody-of-this-name/x", "a\0b", "org/name", "x.gguf"])
def test_a_model_that_is_not_here_is_unknown_until_something_appears(tmp_path, name):
    found = answer(model(tmp_path, name))
    assert found.model is None
    assert not any(found.stamps.values())


def test_a_file_of_pickled_weights_is_known_for_what_it_is(tmp_path):
    (tmp_path / "w.bin").write_bytes(b"x")
    assert answer(model(tmp_path, "./w.bin")).model.is_pickle


def test_files_of_any_content_are_answered(tmp_path):
    deep = tmp_path / "deep.json"
    deep.write_text("[" * 200_000)
    described = answer(dataset(deep)).dataset
    assert described is not None
    assert described.problem == "deep.json holds JSON that no program can read, from line 1 on."
    assert answer(dataset(tmp_path / "absent.jsonl")) == Answer(stamps={str(tmp_path / "absent.jsonl"): None})
    (tmp_path / "base").mkdir()
    (tmp_path / "base/config.json").write_bytes(b"\xff")
    assert answer(model(tmp_path)).model.context_length is None


@pytest.mark.parametrize(
    ("text", "tokens", "markers"),
    [
        ("{{ '<|im_start|>' + message.role }}{% generation %}x{% endgeneration %}", {"<|im_start|>"}, True),
        ("{# <|no|> #}{{ '<start_of_turn>' }}<think>{% break %}", {"<start_of_turn>"}, False),
        ("{{ '<|' + role + '|>' }}", set(), False),
    ],
)
def test_a_template_says_its_special_tokens_and_markers(tmp_path, text, tokens, markers):
    (tmp_path / "t.jinja").write_text("{% for message in messages %}" + text + "{% endfor %}")
    fact = answer(AskTemplate(str(tmp_path / "t.jinja"))).template
    assert (fact.problem, fact.special_tokens, fact.has_generation_markers) == (None, tokens, markers)


def test_a_broken_template_says_its_line(tmp_path):
    (tmp_path / "t.jinja").write_text("{{ a }}\n{% for %}\n")
    fact = answer(AskTemplate(str(tmp_path / "t.jinja"))).template
    assert fact.problem == "t.jinja is no chat template: Expected an expression, got 'end of statement block' (line 2)."


def test_packages_are_those_of_the_interpreter_that_was_meant(home):
    mine = answer(AskHardware(sys.executable)).hardware
    assert mine.memory_bytes > 0
    assert mine.packages is not None
    assert answer(AskHardware("/another/python")).hardware.packages is None


def test_records_are_counted_in_the_models_own_tokens(tmp_path, base):
    tokenizers = pytest.importorskip("tokenizers")
    words = tokenizers.models.WordLevel({"a": 0, "b": 1, "?": 2, "Q": 3}, unk_token="?")
    tokenizer = tokenizers.Tokenizer(words)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.save(str(base / "tokenizer.json"))
    data = tmp_path / "d.jsonl"
    data.write_text('{"prompt": "a b", "completion": "a"}\n')
    assert answer(AskTokens(model(tmp_path), dataset(data))).tokens is None
    (base / "chat_template.jinja").write_text("{% for turn in messages %}{{ 'Q ' + turn.content }} {% endfor %}")
    found = answer(AskTokens(model(tmp_path), dataset(data)))
    assert (found.tokens.p50, found.tokens.p99) == (5, 5)
    own = tmp_path / "own.jinja"
    own.write_text("{{ messages[0].content }}{% generation %} Q Q Q Q{% endgeneration %}")
    assert answer(AskTokens(model(tmp_path), dataset(data), str(own))).tokens.p50 == 6
    text = tmp_path / "t.jsonl"
    text.write_text('{"text": "a a"}\n')
    (base / "tokenizer_config.json").write_text('{"eos_token": {"content": "b"}}')
    assert answer(AskTokens(model(tmp_path), dataset(text))).tokens.p50 == 3
    assert found.stamps.keys() >= {str(data), str(base / "tokenizer.json")}
    (base / "tokenizer.json").write_text("{}")
    assert answer(AskTokens(model(tmp_path), dataset(data))).tokens is None


def test_the_process_answers_as_this_one_does_and_ends_with_its_input(tmp_path, base):
    (tmp_path / "d.jsonl").write_text('{"text": "a"}\n')
    asked = [model(tmp_path), dataset(tmp_path / "d.jsonl"), AskTokens(model(tmp_path), dataset(tmp_path / "d.jsonl"))]
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "peft_engine.look"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        for question in asked:
            child.stdin.write(TypeAdapter(type(question)).dump_json(question) + b"\n")
            child.stdin.flush()
            assert TypeAdapter(Answer).validate_json(child.stdout.readline()) == answer(question)
        child.stdin.close()
        assert child.wait(60) == 0
