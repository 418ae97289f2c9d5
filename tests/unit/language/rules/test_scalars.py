"""What YAML 1.1 reads otherwise, held against PyYAML itself."""

import datetime
import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from peft_engine.config.scalars import plain_value
from peft_engine.config.yaml11 import DATE, Special, yaml11_value
from tests.property.strategies import examples
from tests.unit.language.rules.marked import BASE, Case, findings

CASES = [
    Case("PW201", "no dot", f"{BASE}training:\n  learning_rate: «1e-4»\n"),
    Case("PW201", "no sign", f"{BASE}training:\n  max_grad_norm: «1.0e2»\n"),
    Case("PW201", "no digit before the dot", f"{BASE}training:\n  max_grad_norm: «.5e0»\n"),
    Case("PW201", "octal of YAML 1.2", f"{BASE}training:\n  seed: «0o14»\n"),
    Case("PW201", "no octal", f"{BASE}training:\n  seed: «09»\n"),
    Case("PW201", "in a list entry", f"{BASE}    weight: «2e0»\n"),
    Case("PW201", "a dot and a sign", f"{BASE}training:\n  learning_rate: 1.0e-4\n"),
    Case("PW201", "in quotes", f"{BASE}name: '1e-4'\n"),
    Case("PW201", "a word for a boolean", f"{BASE}training:\n  packing: yes\n"),
    Case("PW202", "octal of YAML 1.1", f"{BASE}training:\n  seed: «014»\n"),
    Case("PW202", "a single digit", f"{BASE}training:\n  seed: 07\n"),
    Case("PW202", "zero", f"{BASE}training:\n  seed: 0\n"),
    Case("PW203", "date", f"{BASE}name: «2024-01-01»\n"),
    Case("PW203", "time", "version: 1\nmodel: {base: «12:30:45»}\n" + BASE[BASE.index("datasets") :]),
    Case("PW203", "boolean", f"{BASE}name: «on»\n"),
    Case("PW203", "separators", f"{BASE}name: «1_000»\n"),
    Case("PW203", "a list entry", f"{BASE}method:\n  target_modules: [q_proj, «no»]\n"),
    Case("PW203", "a version", f"{BASE}name: 1.2.3\n"),
    Case("PW203", "a word", f"{BASE}name: yesterday\n"),
    Case("PW203", "in quotes", f"{BASE}name: 'on'\n"),
    Case("PW204", "typographic quotes", f"{BASE}name: x\n".replace("org/m", "«“org/m”»")),
    Case("PW204", "no width", f"{BASE}name: x\n".replace("org/m", "«org/\u200bm»")),
    Case("PW204", "no-break space at the end", BASE.replace("org/m", "«org/m\u00a0»")),
    Case("PW204", "in plain quotes, which say that it is meant", BASE.replace("org/m", "'“org/m”'")),
    Case("PW204", "letters of another script", BASE.replace("org/m", "./models/übung-模型")),
    Case("PW204", "an emoji of several characters", BASE.replace("org/m", "./models/👩\u200d🔬")),
    Case("PW203", "null, which is one to both", f"{BASE}name: null\n"),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_scalars_that_other_tools_read_otherwise_are_found(case: Case) -> None:
    case.holds()


PLAIN = st.text(alphabet="0123456789_+-.eExob:tTZ aAfFyYnNlusr~=<", min_size=1, max_size=12)
SPECIAL = """
    yes Yes YES yEs no on Off y n true null Null ~ = << .inf -.INF .nan +.nan 1e-4 1.0e4 1.0e+4 014 0o14 09 12:30:45
    1_000 .5e3 2024-01-01 2024-1-1 2001-12-14t21:59:43.10-05:00 0b1 0x1F -0x1F 1:30 190:20:30.15 0_ 0b_ 2024-13-45
"""
WORDS = st.sampled_from(SPECIAL.split())


@examples(600)
@given(st.one_of(PLAIN, WORDS))
def test_A17_the_table_of_YAML_1_1_agrees_with_PyYAML(text: str) -> None:
    if text != text.strip() or not _is_plain(text):
        return
    ours = yaml11_value(text)
    try:
        theirs = yaml.safe_load(f"a: {text}")["a"]
    except (yaml.YAMLError, ValueError):
        assert isinstance(ours, Special)
        return
    if isinstance(theirs, datetime.date):
        assert ours == DATE
    elif isinstance(theirs, float) and math.isnan(theirs):
        assert isinstance(ours, float)
        assert math.isnan(ours)
    else:
        assert (type(ours), ours) == (type(theirs), theirs)


@examples(120)
@given(st.one_of(PLAIN, WORDS))
def test_A13_nothing_is_said_where_both_readers_agree_and_the_fix_makes_them_agree(text: str) -> None:
    if text != text.strip() or not _is_plain(text):
        return
    for key in ("model:\n  revision", "training:\n  max_grad_norm"):
        whole = f"version: 1\ndatasets: [{{path: x}}]\nmodel: {{base: m}}\n{key}: {text}\n"
        whole = whole.replace("model: {base: m}\nmodel:\n", "model:\n  base: m\n")
        found = [finding for finding in findings(whole) if finding.code.startswith("PW2")]
        ours, theirs = plain_value(text), yaml11_value(text)
        agree = type(ours) is type(theirs) and ours == theirs
        assert not (found and agree)
        for finding in found:
            better = finding.fixes[0].edits[0].newText
            assert yaml.safe_load(better) == plain_value(text) if isinstance(ours, float | int) else text


def _is_plain(text: str) -> bool:
    try:
        (event,) = [e for e in yaml.parse(f"a: {text}") if isinstance(e, yaml.ScalarEvent)][1:]
    except (yaml.YAMLError, ValueError):
        return False
    return event.style is None and event.value == text
