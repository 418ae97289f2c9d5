from peft_daemon.language.world.named import Named, NamedDataset, named_in
from peft_engine.config.document import parse
from peft_engine.config.text import SourceText
from peft_schemas.config import ColumnsConfig
from tests.unit.language.world.conftest import TEXT


def named(text: str) -> Named:
    return named_in(parse(SourceText(text)))


def test_everything_that_can_be_looked_at_is_named() -> None:
    found = named(TEXT + "# a comment\n")
    assert (found.base, found.revision, found.template, found.preset) == ("./base", None, "chat.jinja", "careful")
    assert [dataset.path for dataset in found.datasets] == ["train.jsonl", "other.jsonl", "held.jsonl"]
    assert found.datasets[1].columns == ColumnsConfig(prompt="question", completion="answer")


def test_what_is_not_written_as_it_should_be_is_left_out() -> None:
    found = named(
        "model: {base: 3}\ndatasets:\n  - path: a\n    format: cvs\n    columns: {no: b}\n  - 7\n  - path: ''\n"
    )
    assert found == Named(datasets=(NamedDataset("a", "auto", ColumnsConfig()),))
    assert named("- a\n") == named("") == named("model: [") == Named()


def test_of_two_entries_with_one_path_the_first_counts() -> None:
    found = named("datasets:\n  - path: a\n    format: text\n  - path: a\n    format: alpaca\n")
    assert found.by_path["a"].format == "text"


def test_a_long_list_is_named_as_a_short_one_is_and_unchanged_entries_are_kept() -> None:
    entries = [f"  - path: data/part-{n:03}.jsonl\n    weight: 1\n" for n in range(60)]
    text = "version: 1\nmodel:\n  base: org/m\ndatasets:\n" + "".join(entries) + "name: x\n"
    before = parse(SourceText(text))
    assert before.is_split
    first = named_in(before)
    assert [dataset.path for dataset in first.datasets] == [f"data/part-{n:03}.jsonl" for n in range(60)]
    after = parse(SourceText(text.replace("part-030", "part-099")), before)
    second = named_in(after)
    assert second.base == "org/m"
    assert [n for n in range(60) if second.datasets[n] is not first.datasets[n]] == [30]
