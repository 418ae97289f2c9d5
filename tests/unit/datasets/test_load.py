import gzip
import hashlib
import json

import pytest

from peft_engine.datasets import Conversation, Message, Text, load_dataset
from peft_engine.datasets import load as load_module
from peft_schemas.config import DatasetConfig
from peft_schemas.errors import WorkbenchError

PAIRS = [("One, two?", 'Three, "four".'), ("Zeile\nzwei", "Grüße 🌦"), ("a", "b")]
EXAMPLES = tuple(Conversation((Message("user", q), Message("assistant", a))) for q, a in PAIRS)


def load(folder, name, **fields):
    return load_dataset(DatasetConfig(path=name, **fields), folder)


def fault(folder, name, **fields):
    with pytest.raises(WorkbenchError) as caught:
        load(folder, name, **fields)
    assert caught.value.remedy
    return caught.value


def write_csv(path):
    quoted = [f'"{q}","{a.replace(chr(34), chr(34) * 2)}"' for q, a in PAIRS]
    path.write_text("prompt,completion\r\n" + "\r\n".join(quoted) + "\r\n", encoding="utf-8", newline="")


def write_json(path):
    path.write_text(json.dumps([{"prompt": q, "completion": a} for q, a in PAIRS]))


def write_wrapped_json(path):
    path.write_text(json.dumps({"data": [{"prompt": q, "completion": a} for q, a in PAIRS]}))


def write_jsonl(path):
    path.write_text("\n\n".join(json.dumps({"prompt": q, "completion": a}) for q, a in PAIRS))


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("d.csv", write_csv),
        ("d.json", write_json),
        ("w.json", write_wrapped_json),
        ("d.jsonl", write_jsonl),
        ("D.JSONL", write_jsonl),
    ],
)
def test_every_file_kind_holds_the_same_examples(tmp_path, name, write):
    write(tmp_path / name)
    loaded = load(tmp_path, name)
    assert loaded.examples == EXAMPLES
    assert loaded.format == "prompt-completion"


def test_a_text_file_has_an_example_a_line(tmp_path):
    (tmp_path / "d.txt").write_text("first\n\n  \nsecond\n")
    assert load(tmp_path, "d.txt").examples == (Text("first"), Text("second"))


def test_a_byte_order_mark_is_no_part_of_the_first_field(tmp_path):
    (tmp_path / "d.csv").write_text("text\nhello\n", encoding="utf-8-sig")
    assert load(tmp_path, "d.csv").examples == (Text("hello"),)


def test_an_absolute_path_is_taken_as_it_is(tmp_path):
    write_json(tmp_path / "d.json")
    assert load(tmp_path / "elsewhere", str(tmp_path / "d.json")).examples == EXAMPLES


def test_a_missing_file_is_named(tmp_path):
    error = fault(tmp_path, "no/such.jsonl")
    assert error.code == "dataset-missing"
    assert str(tmp_path / "no/such.jsonl") in error.message


@pytest.mark.parametrize("name", ["d.jsonl", "d.json", "d.csv", "d.txt"])
def test_an_empty_file_is_told(tmp_path, name):
    (tmp_path / name).write_text("\n")
    assert fault(tmp_path, name).code == "dataset-empty"


@pytest.mark.parametrize(
    ("name", "content", "where"),
    [
        ("d.jsonl", b'{"text": "a"}\n{"text": }\n', "line 2, column 10"),
        ("d.json", b'[\n{"text": "a"},\n]', "line 3"),
        ("d.jsonl", b'{"text": "a"}\n["a"]\n', "line 2"),
        ("d.jsonl", b'{"text": "a"}\n\n{"text": 3}\n', "line 3 has no text in `text`"),
        ("d.csv", b"prompt,completion\na,b\nc\n", "line 3"),
        ("d.csv", b'prompt,completion\na,b\n"c"d,e\n', "line 3"),
        ("d.csv", b"prompt,completion\na,b,c\n", "line 2"),
        ("d.json", b'"text"', "neither a list nor an object"),
        ("d.txt", b"caf\xe9", "not UTF-8 text"),
        ("d.jsonl", b'{"question": "a", "answer": "b"}', "has the fields question, answer"),
        ("d.docx", b"PK", "not a dataset file"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(tmp_path, name, content, where):
    (tmp_path / name).write_bytes(content)
    error = fault(tmp_path, name)
    assert error.code == "dataset-unreadable"
    assert where in error.message


def test_a_written_format_is_not_guessed_again(tmp_path):
    (tmp_path / "d.jsonl").write_text('{"text": "a", "prompt": "b", "completion": "c"}\n')
    assert load(tmp_path, "d.jsonl").format == "prompt-completion"
    assert load(tmp_path, "d.jsonl", format="text").examples == (Text("a"),)


def test_parquet_is_read_or_asks_for_its_package(tmp_path):
    (tmp_path / "d.parquet").write_bytes(b"PAR1")
    assert fault(tmp_path, "d.parquet").code in {"extra-missing", "dataset-unreadable"}


def test_only_the_named_part_is_loaded(tmp_path):
    write_jsonl(tmp_path / "d.jsonl")
    assert load(tmp_path, "d.jsonl", split="train[1:2]").examples == EXAMPLES[1:2]


@pytest.mark.parametrize(
    ("record", "columns"),
    [
        ({"question": "q", "reply": "a"}, {"prompt": "question", "completion": "reply"}),
        ({"completion": "q", "prompt": "a"}, {"prompt": "completion", "completion": "prompt"}),
        ({"prompt": "q", "output": "a"}, {"instruction": "prompt"}),
        (
            {"chat": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}], "text": "x"},
            {"messages": "chat"},
        ),
        ({"instruction": "q", "context": " ", "output": "a"}, {"input": "context"}),
    ],
)
def test_columns_are_renamed_before_the_format_is_recognised(tmp_path, record, columns):
    (tmp_path / "d.jsonl").write_text(json.dumps(record) + "\n")
    expected = Conversation((Message("user", "q"), Message("assistant", "a")))
    assert load(tmp_path, "d.jsonl", columns=columns).examples == (expected,)


def test_a_column_with_the_new_name_is_not_taken_for_the_one_that_was_asked_for(tmp_path):
    (tmp_path / "d.jsonl").write_text('{"text": "no", "body": "yes"}\n{"text": "no"}\n')
    error = fault(tmp_path, "d.jsonl", columns={"text": "body"})
    assert "line 2 has no text" in error.message


def test_a_column_that_no_record_has_is_told(tmp_path):
    write_jsonl(tmp_path / "d.jsonl")
    error = fault(tmp_path, "d.jsonl", columns={"prompt": "question"})
    assert error.code == "config-invalid"
    assert "`columns.prompt` is `question`" in error.message
    assert "it has prompt, completion" in error.message


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("d.jsonl", b'{"text": "a"}\n{"text": "caf\xe9"}\n', 2),
        ("d.csv", b'text\n"a\nb"\ncaf\xe9\n', 4),
        ("d.jsonl", b'{"text": "a"}\n\n[1]\n', 3),
        ("d.csv", b"prompt,completion\na,b\nc\n", 3),
        ("d.json", b'[\n{"text": "a"},\n]', 3),
    ],
)
def test_an_unreadable_file_says_its_line_to_programs_too(tmp_path, name, content, line):
    (tmp_path / name).write_bytes(content)
    error = fault(tmp_path, name)
    assert (error.code, error.line) == ("dataset-unreadable", line)
    assert f"line {line}" in error.message


@pytest.mark.parametrize(
    ("name", "content", "what", "remedy"),
    [
        ("d.jsonl", gzip.compress(b'{"text": "a"}\n', mtime=0), "is compressed", "Unpack it"),
        ("d.jsonl.gz", gzip.compress(b'{"text": "a"}\n', mtime=0), "is compressed", "Unpack it"),
        ("d.json", b"PK\x03\x04rest", "is an archive", "Unpack it"),
        ("d.jsonl", '{"text": "a"}\n'.encode("utf-16"), "is UTF-16 text", "UTF-8"),
        ("d.csv", b"\xfe\xff" + "text\na\n".encode("utf-16-be"), "is UTF-16 text", "UTF-8"),
        ("d.jsonl", b'{"text": NaN}', "line 1 has no text in `text` but NaN", "format"),
        ("d.jsonl", b'{"text": null}', "line 1 has no text in `text`", "format"),
        ("d.csv", b"prompt,completion\na,\n", "line 2 has no text in `completion`", "format"),
        ("d.jsonl", b'{"text": "a"}\n{"text": "half \\ud83d"}', "line 2 has half a character in `text`", "format"),
        ("d.jsonl", b"[" * 100_000, "holds JSON that no program can read, from line 1 on", "Correct"),
        ("d.jsonl", b'{"text": "a"}\n{"n": ' + b"1" * 5000 + b"}", "from line 2 on", "Correct"),
        (
            "d.jsonl",
            b'{"messages": [{"role": "system", "content": "Be kind."}]}',
            "line 1 has no turn of the assistant",
            "format",
        ),
        (
            "d.jsonl",
            b'{"messages": [{"role": "assistant", "content": "Hello!"}]}',
            "line 1 has nothing that the assistant answers",
            "format",
        ),
    ],
)
def test_bad_content_is_told_with_what_it_is_and_what_to_do(tmp_path, name, content, what, remedy):
    (tmp_path / name).write_bytes(content)
    error = fault(tmp_path, name)
    assert error.code == "dataset-unreadable"
    assert what in error.message
    assert remedy in error.remedy


def test_a_folder_is_not_taken_for_a_missing_file(tmp_path):
    (tmp_path / "data").mkdir()
    error = fault(tmp_path, "data")
    assert (error.code, "is a folder" in error.message) == ("dataset-unreadable", True)


@pytest.mark.parametrize(
    ("name", "before", "after", "where"),
    [
        ("d.jsonl", '{"text": "', '"}\n', "in line 1"),
        ("d.json", '[{"text": "', '"}]', "record 1 has 104857600 characters"),
        ("d.txt", "", "\n", "line 1 has 104857600 characters"),
        ("d.csv", "text\n", "\n", "near line 2"),
    ],
)
def test_a_record_of_a_hundred_megabytes_is_refused_by_its_place(tmp_path, name, before, after, where):
    with (tmp_path / name).open("w") as file:
        file.write(before)
        for _ in range(100):
            file.write("x" * 2**20)
        file.write(after)
    error = fault(tmp_path, name)
    assert error.code == "dataset-unreadable"
    assert where in error.message


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "d.jsonl"
    path.write_text('{"text": "a"}\n{"text": "b"}\n')
    normal = load_module.normalise

    def while_somebody_appends(*arguments):
        with path.open("a") as file:
            file.write('{"text": "c"}\n')
        return normal(*arguments)

    monkeypatch.setattr(load_module, "normalise", while_somebody_appends)
    assert "changed while it was read" in fault(tmp_path, "d.jsonl").message


def test_what_was_read_is_known_by_its_hash(tmp_path):
    write_jsonl(tmp_path / "d.jsonl")
    assert load(tmp_path, "d.jsonl").sha256 == hashlib.sha256((tmp_path / "d.jsonl").read_bytes()).hexdigest()
