"""Lenses and inlay hints: the figures where they are looked for."""

from peft_daemon.language.binding import bind
from peft_daemon.language.context import NOTHING_KNOWN, CheckContext, DatasetFact
from peft_daemon.language.features.code_lens import lenses
from peft_daemon.language.features.inlay_hints import hints
from peft_daemon.language.rules.subject import Subject
from peft_engine.config.document import parse
from peft_engine.config.text import SourceText
from tests.unit.language.test_figures import MODEL

BASE = "version: 1\nmodel:\n  base: org/m\ndatasets:\n  - path: a.jsonl\n"
COUNTED = CheckContext(datasets={"a.jsonl": DatasetFact(100, "text", ("text",))}, model=MODEL)


def subject(text: str, context: CheckContext) -> Subject:
    document = parse(SourceText(text))
    return Subject(document, bind(document), context)


def annotated(text: str, context: CheckContext = NOTHING_KNOWN) -> str:
    """The text with each hint in guillemets where an editor shows it."""
    source = SourceText(text)
    found = list(hints(subject(text, context)))
    for hint in sorted(found, key=lambda hint: -source.offset(place(hint))):
        offset = source.offset(place(hint))
        text = f"{text[:offset]}«{hint['label']}»{text[offset:]}"
    return text.removeprefix(BASE)


def place(hint):
    line, character = hint["position"]["line"], hint["position"]["character"]
    return SourceText("").position(0).model_copy(update={"line": line, "character": character})


def titles(text: str, context: CheckContext = NOTHING_KNOWN) -> list[str]:
    return [lens["command"]["title"] for lens in lenses("file:///a.peft.yaml", subject(text, context))]


def test_each_figure_stands_behind_the_value_that_it_follows_from() -> None:
    text = (
        f"{BASE}method: {{r: 4}}\n"
        "training:\n  num_epochs: 2 # 😀\n  batch_size: 4\n  gradient_accumulation_steps: 2\n  max_length: 512\n"
    )
    assert annotated(text, COUNTED) == (
        "method: {r: 4«224 trainable parameters»}\n"
        "training:\n  num_epochs: 2«26 steps» # 😀\n  batch_size: 4\n"
        "  gradient_accumulation_steps: 2«effective batch 8»\n  max_length: 512«≤ 4,096 tokens a step»\n"
    )


def test_shares_of_the_run_and_aliases_show_what_they_come_to() -> None:
    text = f"{BASE}training: {{max_steps: 30, seed: &n 7, warmup_ratio: 0.1}}\ncheckpoint: {{keep: *n}}\n"
    expected = "training: {max_steps: 30, seed: &n 7, warmup_ratio: 0.1«3 steps»}\ncheckpoint: {keep: *n«= 7»}\n"
    assert annotated(text) == expected


def test_nothing_is_shown_that_is_not_known() -> None:
    text = f"{BASE}method: {{r: 4}}\ntraining:\n  num_epochs: 2\n  batch_size: 0\n"
    assert annotated(text) == text.removeprefix(BASE)


def test_A14_the_lenses_say_what_the_config_comes_to() -> None:
    text = f"{BASE}method: {{r: 4}}\ntraining: {{num_epochs: 2, batch_size: 4}}\n"
    estimate = "Estimate · 50 steps · effective batch 4 · 224 trainable parameters"
    assert titles(text, COUNTED) == ["Run", estimate, "Dry run", "Compare"]
    assert titles("", NOTHING_KNOWN)[1] == "Estimate · effective batch 4"


def test_every_lens_gets_the_document() -> None:
    found = lenses("file:///a.peft.yaml", subject(BASE, NOTHING_KNOWN))
    assert {tuple(lens["command"]["arguments"]) for lens in found} == {("file:///a.peft.yaml",)}
