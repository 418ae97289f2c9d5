"""The check on any text: it never fails, it finds what was planted, and its fixes repair."""

import json
import time
from collections import Counter

from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from peft_daemon.language.check import check_document, check_file, check_text
from peft_daemon.language.context import CheckContext
from peft_daemon.language.documents import DocumentStore
from peft_daemon.language.judge import MAX_FINDINGS, judge
from peft_daemon.language.rules.values import written
from peft_engine.config.document import MAX_LENGTH, parse
from peft_engine.config.schema import walk
from peft_engine.config.text import SourceText
from peft_engine.facts import DatasetFact, HardwareFact, ModelFact
from peft_schemas.config import RunConfig
from peft_schemas.findings import Finding
from tests.property.faults import Planted, apply, planted
from tests.property.strategies import SNIPPETS, configs, examples, texts, to_yaml


def errors(findings: list[Finding]) -> Counter[tuple[str, str]]:
    return Counter((finding.code, finding.message) for finding in findings if finding.severity == "error")


def kinds(findings: list[Finding]) -> Counter[tuple[str, str]]:
    return Counter((finding.code, finding.message) for finding in findings)


def of_the_language(findings: list[Finding]) -> list[Finding]:
    """The findings of syntax and schema. What is valid may still be odd, which other rules say."""
    return [finding for finding in findings if finding.code < "PW2"]


@examples(100)
@given(texts())
@example("\ud800")
@example("\ufeffversion: 1\n")
@example("a: &a [*a]\n")
@example("<<: *a\n")
@example("a: &x {<<: *x}\n")
def test_A3_any_text_is_checked_without_failing_and_every_range_lies_in_it(text: str) -> None:
    source = SourceText(text)
    end = source.position(len(source))
    for finding in check_text(text):
        start, stop = finding.range.start, finding.range.end
        assert (0, 0) <= (start.line, start.character) <= (stop.line, stop.character) <= (end.line, end.character)
        assert finding.message
        assert "\n" not in finding.message


@examples(60)
@given(st.binary(max_size=400))
def test_A3_any_bytes_on_disk_are_checked_without_failing(tmp_path_factory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("bytes") / "x.peft.yaml"
    path.write_bytes(data)
    checked = check_file(path)
    assert checked.resolved is None or not any(finding.severity == "error" for finding in checked.findings)


@examples(100)
@given(texts())
def test_A15_what_has_no_error_is_a_config_that_the_model_accepts(text: str) -> None:
    if not errors(check_text(text)):
        RunConfig.model_validate(parse(SourceText(text)).to_plain())


KNOWN = CheckContext(
    model=ModelFact("org/model", context_length=512, has_chat_template=False, prequantized="awq"),
    hardware=HardwareFact("cuda", "Tesla T4", (7, 5), 15 * 2**30, 100 * 2**30, frozenset()),
    datasets={"data": DatasetFact(40, "text", ("text",), tokens_p50=90, tokens_p99=300)},
)


@examples(60)
@given(st.lists(configs(), min_size=1, max_size=2), st.data())
def test_A10_a_judgement_does_not_depend_on_the_versions_before_it(written: list[dict], data: st.DataObject) -> None:
    store, judgement = DocumentStore(), None
    text = to_yaml(written[0])
    store.open("untitled:x", 1, text)
    for version in range(2, 8):
        if data.draw(st.booleans()):
            text = to_yaml(data.draw(st.sampled_from(written)))
        else:
            at = data.draw(st.integers(0, len(text)))
            new = data.draw(st.sampled_from([s for s in SNIPPETS if s != "\ud800"]))
            text = text[:at] + new + text[at + data.draw(st.integers(0, 8)) :]
        store.change("untitled:x", version, [{"text": text}])
        document = store.get("untitled:x")
        assert document is not None
        judgement = judge(document.document, KNOWN, judgement)
        assert judgement.findings == check_document(parse(SourceText(text)), KNOWN)


@examples(60)
@given(configs(), configs(), st.sampled_from(["model", "method", "training", "evaluation", "checkpoint"]))
@example({"training": {"learning_rate": 2.0e-4}}, {"training": {"learning_rate": 1.0e-6}}, "training")
def test_A10_what_a_merge_brings_to_the_top_level_is_judged_again(one: dict, other: dict, section: str) -> None:
    rest = {key: value for key, value in one.items() if key != section}
    judgement = None
    for config in (one, other, one):
        brought = json.dumps({section: config.get(section, {})})
        document = parse(SourceText(f"common: &c {brought}\n{to_yaml(rest)}<<: *c\n"))
        judgement = judge(document, KNOWN, judgement)
        assert judgement.findings == check_document(document, KNOWN)


@examples(60)
@given(configs(), configs(), st.sampled_from(["method", "training", "evaluation", "checkpoint"]), st.booleans())
def test_A10_what_is_merged_in_place_is_judged_as_if_it_were_written_in_its_section(
    one: dict, other: dict, section: str, in_list: bool
) -> None:
    judgement = None
    for config in (one, other, one):
        below = config.get(section, {"bogus": 1})
        rest = to_yaml({key: value for key, value in config.items() if key != section})
        merged = json.dumps([below] if in_list else below)
        document = parse(SourceText(f"{rest}{section}:\n  <<: {merged}\n"))
        judgement = judge(document, KNOWN, judgement)
        assert judgement.findings == check_document(document, KNOWN)
        plain = check_document(parse(SourceText(f"{rest}{section}: {json.dumps(below)}\n")), KNOWN)
        assert [(f.code, f.message) for f in judgement.findings] == [(f.code, f.message) for f in plain]


@examples(100)
@given(configs(), st.data())
def test_A15_a_partial_config_is_accepted_if_it_is_complete_and_else_each_missing_key_is_listed(
    config: dict, data: st.DataObject
) -> None:
    partial = _without_some(config, data)
    try:
        RunConfig.model_validate(partial)
        missing = set()
    except ValidationError as error:
        assert {fault["type"] for fault in error.errors()} == {"missing"}
        missing = {str(fault["loc"][-1]) for fault in error.errors()}
    found = [finding for finding in of_the_language(check_text(to_yaml(partial))) if finding.severity == "error"]
    assert {finding.code for finding in found} == ({"PW104"} if missing else set())
    assert {finding.message.split("`")[-2] for finding in found} == missing


@examples(60)
@given(configs())
def test_A2_valid_configs_have_no_fault_of_the_language_and_read_back_as_written(config: dict) -> None:
    text = to_yaml(config)
    assert of_the_language(check_text(text)) == []
    assert parse(SourceText(text)).to_plain() == config


@examples(100)
@given(planted())
def test_A3_a_planted_fault_is_found_at_its_exact_characters(fault: Planted) -> None:
    source = SourceText(fault.text)
    expected = (fault.code, source.range(fault.start, fault.end))
    assert expected in [(finding.code, finding.range) for finding in check_text(fault.text)], fault.text


@examples(100)
@given(planted())
def test_A13_each_fix_of_a_planted_fault_removes_its_finding_and_adds_no_error(fault: Planted) -> None:
    _fixes_repair(fault.text)


@examples(100)
@given(texts())
def test_A13_fixes_of_any_text_remove_their_finding(text: str) -> None:
    before = check_text(text)
    for finding in before:
        for fix in finding.fixes:
            after = kinds(check_text(apply(text, fix)))
            kind = (finding.code, finding.message)
            assert after[kind] < kinds(before)[kind], fix.title


def _without_some(config: dict, data: st.DataObject) -> dict:
    """Take any keys out, but never all of a section: an empty one is a fault of its own."""
    kept = {}
    for name, value in config.items():
        if data.draw(st.integers(0, 3)) == 0:
            continue
        kept[name] = value
        if isinstance(value, dict) and len(value) > 1:
            kept[name] = _without_some(value, data) or value
        elif isinstance(value, list) and isinstance(value[0], dict):
            kept[name] = [_without_some(item, data) or item for item in value]
    return kept


def _fixes_repair(text: str) -> None:
    """Apply each fix of a text. A repaired value can be judged, so that what it was meant with may turn out wrong."""
    before = check_text(text)
    for finding in before:
        for fix in finding.fixes:
            fixed = apply(text, fix)
            after = check_text(fixed)
            judged = of_the_language(after) if finding.code < "PW2" else after
            assert not errors(judged) - errors(before), f"{fix.title}: {fixed}"
            kind = (finding.code, finding.message)
            assert kinds(after)[kind] < kinds(before)[kind], fix.title


def test_A4_bounds_are_judged_exactly_at_their_edge() -> None:
    base = "version: 1\nmodel:\n  base: m\ndatasets:\n  - path: org/d\n"
    checked = 0
    for path, key in walk():
        section, _, name = path.rpartition(".")
        for bound, inside in (
            (key.bounds.ge, True),
            (key.bounds.le, True),
            (key.bounds.gt, False),
            (key.bounds.lt, False),
        ):
            if bound is None or not section or "[]" in section:
                continue
            checked += 1
            found = [f.code for f in of_the_language(check_text(f"{base}{section}:\n  {name}: {written(bound)}\n"))]
            beyond = bound + (1 if bound in (key.bounds.le, key.bounds.lt) and bound else -1)
            assert found == ([] if inside else ["PW103"]), path
            found = [f.code for f in of_the_language(check_text(f"{base}{section}:\n  {name}: {beyond:.0f}\n"))]
            assert found == ["PW103"], path
    assert checked > 20


def test_A3_limits_are_refused_politely_and_in_bounded_time() -> None:
    started = time.process_time()
    for text in (
        "- " * 20_000,
        "[" * 200_000,
        "{a: " * 50_000,
        "x" * (MAX_LENGTH + 1),
        "".join(" " * depth + "a:\n" for depth in range(300)),
    ):
        assert [finding.code for finding in check_text(text)] == ["PW010"]
    for text in (
        'a: "\n' * 20_000,
        "\x00\x01ab:{[&*'\"\n\t" * 10_000,
        ": : :\n" * 20_000,
        "&a " * 50_000,
        "a: [\n" * 20_000,
    ):
        assert 0 < len(check_text(text)) <= MAX_FINDINGS
    # Half a minute is a hundred times what it takes; a quadratic path takes hours.
    assert time.process_time() - started < 30


def test_A3_a_billion_laughs_are_declined() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    assert [finding.code for finding in check_text("\n".join(lines))] == ["PW010"]
