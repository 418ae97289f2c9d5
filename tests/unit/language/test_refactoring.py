"""Refactorings as a user sees them: the text before, the title, and the text after."""

from collections import Counter
from typing import Any

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from peft_daemon.language.check import check_document
from peft_daemon.language.context import NOTHING_KNOWN, CheckContext, DatasetFact
from peft_daemon.language.refactoring.offer import Change, Conflict, Refactoring
from peft_daemon.language.refactoring.offers import offered
from peft_daemon.language.revision import NotInPlace, Revision, apply_edits
from peft_engine.config.document import parse
from peft_engine.config.schema import walk
from peft_engine.config.text import SourceText
from tests.property.strategies import configs, examples, to_yaml

BASE = "version: 1\nmodel:\n  base: org/m\ndatasets:\n  - path: a.jsonl\n"
HERE = CheckContext(folder=__file__)  # type: ignore[arg-type]


def offers(text: str, context: CheckContext = HERE, *, at: str = "") -> dict[str, Refactoring]:
    """What is offered on the line on which a text first stands."""
    document = parse(SourceText(text))
    line = document.source.line_of(text.index(at))
    return {offer.id: offer for offer in offered(Revision(document, context), line)}


def after(text: str, change: Change) -> str:
    return apply_edits(SourceText(text), change.edits)


def refactored(text: str, id_: str, context: CheckContext = HERE, *, at: str = "") -> str:
    return after(text, offers(text, context, at=at)[id_].change())


def effective(text: str, context: CheckContext = NOTHING_KNOWN) -> dict[str, Any]:
    subject = Revision(parse(SourceText(text)), context).subject
    paths = [path for path, key in walk() if key.section is None and "[]" not in path]
    return {
        path: setting.value
        for path in paths
        if path not in ("profile", "preset", "template") and (setting := subject.setting(path)) is not None
    }


def test_switching_to_full_drops_what_only_an_adapter_has_and_lowers_the_rate() -> None:
    text = f"{BASE}method:\n  type: lora\n  r: 8 # rank\n  alpha: 16\ntraining:\n  learning_rate: 2.0e-4\n"
    offer = offers(text, at="r: 8")["method.full"]
    assert offer.title == "Switch to `full`: the adapter's keys go, learning rate 1e-05"
    assert after(text, offer.change()) == f"{BASE}method:\n  type: full\ntraining:\n  learning_rate: 1.0e-5\n"


def test_switching_back_to_an_adapter_raises_the_rate() -> None:
    text = f"{BASE}method: {{type: full}}\ntraining: {{learning_rate: 1.0e-5}}\n"
    expected = f"{BASE}method: {{type: lora}}\ntraining: {{learning_rate: 2.0e-4}}\n"
    assert refactored(text, "method.lora", at="method") == expected


def test_a_batch_is_halved_and_accumulation_doubled() -> None:
    text = f"{BASE}training:\n  batch_size: 4 # fits\n  seed: 1\n"
    found = offers(text, at="seed")
    assert set(found) == {"batch.halve", "extract.training"}
    assert "the effective batch stays 4" in found["batch.halve"].title
    halved = f"{BASE}training:\n  batch_size: 2 # fits\n  seed: 1\n  gradient_accumulation_steps: 2\n"
    assert after(text, found["batch.halve"].change()) == halved
    assert "batch.double" in offers(halved, at="seed")
    odd = offers(text.replace("4", "3"), at="seed")
    assert "batch.halve" not in odd


@examples(40)
@given(batch=st.integers(1, 4096), accumulation=st.integers(1, 4096))
def test_A13_trading_batch_for_accumulation_keeps_the_effective_batch(batch: int, accumulation: int) -> None:
    text = f"{BASE}training: {{batch_size: {batch}, gradient_accumulation_steps: {accumulation}}}\n"
    for id_, offer in offers(text, at="training").items():
        if id_.startswith("batch.") and not errors(text, HERE):
            values = effective(after(text, offer.change()))
            traded = values["training.batch_size"] * values["training.gradient_accumulation_steps"]
            assert traded == batch * accumulation


def test_a_warm_up_becomes_a_share_and_steps_again() -> None:
    text = f"{BASE}training:\n  max_steps: 30\n  warmup_steps: 4\n"
    share = refactored(text, "warmup.ratio", at="warmup")
    assert share == f"{BASE}training:\n  max_steps: 30\n  warmup_ratio: 0.13\n"
    assert refactored(share, "warmup.steps", at="warmup") == text
    assert "warmup.ratio" not in offers(text.replace("  max_steps: 30\n", ""), at="warmup")


def test_records_of_the_data_tell_the_steps_for_the_warm_up() -> None:
    context = CheckContext(folder=HERE.folder, datasets={"a.jsonl": DatasetFact(40, "text", ("text",))})
    text = f"{BASE}training: {{num_epochs: 1, warmup_ratio: 0.25}}\n"
    assert "warmup_steps: 3" in refactored(text, "warmup.steps", context, at="training")


def test_a_profile_is_taken_up_and_written_out() -> None:
    used = refactored(BASE, "apply.profile.summarization")
    assert used == f"{BASE}profile: summarization\n"
    written = refactored(used, "inline.profile", at="profile")
    assert "profile" not in written
    assert effective(written) == effective(used)
    other = refactored(used, "apply.profile.chatbot", at="profile")
    assert other == f"{BASE}profile: chatbot\n"


def test_a_section_moves_into_a_preset_with_its_comments() -> None:
    text = f"{BASE}name: demo\ntraining:\n    # slow\n    seed: 7 # lucky\nmethod: {{r: 8}}\n"
    change = offers(text, at="seed")["extract.training"].change()
    assert after(text, change) == f"{BASE}name: demo\nmethod: {{r: 8}}\npreset: demo\n"
    assert change.new_file is not None
    assert change.new_file.path == "presets/demo.yaml"
    assert change.new_file.text == "title: demo\nvalues:\n  training:\n      # slow\n      seed: 7 # lucky\n"
    taken = CheckContext(folder=HERE.folder, preset_names=("demo",))
    change = offers(text, taken, at="seed")["extract.training"].change()
    assert change.new_file is not None
    assert change.new_file.path == "presets/demo-2.yaml"


def test_a_change_that_does_not_go_with_the_rest_is_refused_with_the_reason() -> None:
    text = "version: 1\nmodel: {base: org/m, quantization: int8}\ndatasets: [{path: a.jsonl}]\n"
    with pytest.raises(Conflict, match="int8"):
        offers(text)["apply.template.full_finetuning"].change()


def test_what_shares_an_anchor_is_not_moved_away_from_it() -> None:
    text = f"{BASE}training: &t\n  seed: &s 7\nmethod: {{r: 8}}\n"
    with pytest.raises(NotInPlace):
        offers(text, at="seed")["extract.training"].change()


@pytest.mark.parametrize("text", ["", "- a\n", "a: [\n", f"{BASE}training:\n  see: : 1\n"])
def test_nothing_is_offered_for_what_is_no_readable_config(text: str) -> None:
    assert offers(text) == {}


@examples(30)
@given(configs(), st.randoms(use_true_random=False))
def test_A13_no_refactoring_brings_an_error_or_changes_more_than_it_says(config: dict, random: Any) -> None:
    text = to_yaml(config)
    before = errors(text, HERE)
    line = random.randrange(text.count("\n"))
    document = parse(SourceText(text))
    found = list(offered(Revision(document, HERE), line))
    assume(found)
    for offer in found:
        try:
            change = offer.change()
        except (NotInPlace, Conflict):
            continue
        context = HERE
        if change.new_file is not None:
            preset = yaml.safe_load(change.new_file.text)
            name = change.new_file.path.removeprefix("presets/").removesuffix(".yaml")
            context = CheckContext(folder=HERE.folder, presets={name: preset["values"]}, preset_names=(name,))
        text_after = after(text, change)
        assert not errors(text_after, context) - before, f"{offer.title}\n{text_after}"
        if offer.id.startswith(("extract.", "inline.")):
            assert effective(text_after, context) == effective(text), offer.title


def errors(text: str, context: CheckContext) -> Counter[str]:
    found = check_document(parse(SourceText(text)), context)
    return Counter(finding.code for finding in found if finding.severity == "error")
