import json

import pytest

from peft_engine.datasets import describe as module
from peft_engine.datasets.describe import describe_dataset, percentile, sample_examples
from peft_schemas.config import ColumnsConfig


@pytest.fixture
def write(tmp_path):
    def make(name, *records):
        path = tmp_path / name
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        return path

    return make


def describe(path, format="auto", **columns):
    return describe_dataset(path, format, ColumnsConfig(**columns))


def test_a_file_says_its_records_format_columns_and_lengths(write):
    path = write("d.jsonl", *({"prompt": "ab", "completion": "c" * n, "id": n} for n in range(1, 101)))
    fact = describe(path)
    assert (fact.records, fact.format, fact.columns) == (100, "prompt-completion", ("prompt", "completion", "id"))
    assert (fact.characters_p50, fact.characters_p99) == (52, 101)
    assert (fact.problem, fact.problem_line, fact.duplicates) == (None, None, 0)


def test_duplicates_are_the_records_beyond_the_first(write):
    assert describe(write("d.jsonl", {"text": "a"}, {"text": "b"}, {"text": "a"}, {"text": "a"})).duplicates == 2


def test_the_first_unusable_record_is_named_and_the_others_are_counted(write):
    fact = describe(write("d.jsonl", {"text": "a"}, {"text": 3}, {"text": ""}))
    assert (fact.records, fact.problem_line) == (3, 2)
    assert fact.problem == "d.jsonl cannot be used: line 2 has no text in `text`."


def test_a_file_that_breaks_off_has_its_line_and_no_count(tmp_path):
    path = tmp_path / "d.jsonl"
    path.write_text('{"text": "a"}\n{"text": \n')
    fact = describe(path)
    assert (fact.records, fact.format, fact.problem_line) == (None, "text", 2)
    assert "not valid JSON at line 2" in fact.problem


def test_columns_are_renamed_before_the_format_is_recognised(write):
    path = write("d.jsonl", {"question": "a", "answer": "b"})
    assert describe(path).format is None
    fact = describe(path, prompt="question", completion="answer")
    assert (fact.format, fact.columns, fact.problem) == ("prompt-completion", ("question", "answer"), None)
    assert describe(path, prompt="absent").format is None


def test_records_are_judged_by_the_written_format_where_they_have_it(write):
    both = write("d.jsonl", {"text": "a", "prompt": "b", "completion": "c"}, {"text": "", "prompt": "b"})
    assert describe(both, "text").problem == "d.jsonl cannot be used: line 2 has no text in `text`."
    assert describe(both).problem == "d.jsonl cannot be used: line 2 has no text in `completion`."
    other = describe(write("e.jsonl", {"text": "a"}), "alpaca")
    assert (other.format, other.problem) == ("text", None)


def test_of_a_long_file_the_first_records_are_read(write, monkeypatch):
    path = write("d.jsonl", *({"text": str(n)} for n in range(50)))
    monkeypatch.setattr(module, "_WHOLE", 100)
    monkeypatch.setattr(module, "_FIRST", 20)
    fact = describe(path)
    assert (fact.records, fact.format) == (None, "text")
    assert len(sample_examples(path, "auto", ColumnsConfig(), 99)) == 20
    whole = path.with_suffix(".json")
    whole.write_text(json.dumps([{"text": "a" * 200}]))
    assert describe(whole) is None


def test_an_empty_file_has_no_record(write):
    fact = describe(write("d.jsonl"))
    assert (fact.records, fact.format, fact.columns, fact.characters_p50) == (0, None, (), None)


def test_what_is_no_dataset_is_not_described(tmp_path):
    (tmp_path / "d.docx").write_bytes(b"PK")
    assert describe(tmp_path / "d.docx") is None


def test_a_sample_is_the_same_each_time(write):
    path = write("d.jsonl", *({"text": str(n)} for n in range(50)))
    first = sample_examples(path, "auto", ColumnsConfig(), 5)
    assert len(first) == 5
    assert first == sample_examples(path, "auto", ColumnsConfig(), 5)


@pytest.mark.parametrize(
    ("numbers", "share", "expected"), [([], 0.5, None), ([7], 0.99, 7), ([1, 2, 3, 4], 0.5, 2), ([1, 2], 0.99, 2)]
)
def test_a_percentile_is_one_of_the_numbers(numbers, share, expected):
    assert percentile(numbers, share) == expected
