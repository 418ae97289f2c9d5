"""Generators of texts and configs: valid ones from the language itself, and broken ones from those."""

import os
import re
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from peft_daemon.language.rules.values import written
from peft_engine.capabilities import TRAINABLE_METHODS, TRAINABLE_QUANTIZATIONS
from peft_engine.config.schema import Key, Section, language

FUZZ = int(os.environ.get("PEFTW_FUZZ", "0"))
"""0 tries the same examples each time, so that the tests say the same twice; n tries n times as many, new ones."""


def examples(count: int) -> settings:
    """How many examples a property is tried with."""
    return settings(
        max_examples=count * max(FUZZ, 1),
        derandomize=not FUZZ,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
    )


_PATTERNED = ["demo", "a-name", "x1", "2026-12-24T22:00", "22:00-06:00"]
"""At least one for each pattern of the language."""

SNIPPETS = [
    "\t", "\r\n", "\r", "\n", "\x00", "\ufeff", "😀", "é", ": ", ":", "- ", "{", "}", "[", "]", ",", "&a ",
    "*a", "<<: *a", "<<: {r: 1}", "  <<: [*a, {seed: 1}]\n", "!!str ", "!x ", "'", '"', "#", "# c", "|", ">-\n", "? ",
    "---\n", "...\n", "%YAML 1.2\n",
    "@", "`", "<<<<<<< HEAD\n", "=======\n", ">>>>>>> b\n", "null", "~", "yes", "1e-4", ".nan", "0x1F", "  ",
    "    ", "version: 1\n", "model:\n", "  base: gpt2\n", "datasets:\n", "  - path: org/data\n",
    "training: {seed: 1}\n", "lora_r: 8\n", "\u2028", "\x85", "\ud800",
]  # fmt: skip

VALID = """\
# A comment.
version: 1
name: demo
model:
  base: org/model
  dtype: auto
method: {type: lora, r: 8, target_modules: [q_proj, v_proj]}
datasets:
  - path: org/data
    format: auto
  - {path: org/more, weight: 2}
training:
  num_epochs: 2
  learning_rate: 2.0e-4 # peak
  packing: true
"""


def fragments() -> st.SearchStrategy[str]:
    """Texts made of what gives YAML parsers trouble."""
    return st.lists(st.one_of(st.sampled_from(SNIPPETS), st.text(max_size=5)), max_size=40).map("".join)


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A valid config with some pieces cut out and others put in."""
    text = VALID
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        cut = draw(st.integers(0, 12))
        text = text[:at] + draw(st.one_of(st.just(""), st.sampled_from(SNIPPETS))) + text[at + cut :]
    return text


def texts() -> st.SearchStrategy[str]:
    """Any text that a user may have open."""
    return st.one_of(fragments(), damaged(), st.text(max_size=200))


@st.composite
def values(draw: st.DrawFn, key: Key) -> Any:
    """A value that a key takes."""
    if key.name == "type" and "lora" in key.choices:
        return draw(st.sampled_from(TRAINABLE_METHODS))
    if key.name == "quantization":
        return draw(st.sampled_from(TRAINABLE_QUANTIZATIONS))
    if key.choices:
        return draw(st.sampled_from(key.choices))
    kind = draw(st.sampled_from(key.types))
    bounds = key.bounds
    if key.is_cadence:
        return draw(st.one_of(st.integers(1, 10_000), st.sampled_from([0.1, 0.25, 0.5])))
    if kind == "boolean":
        return draw(st.booleans())
    if kind == "integer":
        low = int(bounds.ge if bounds.ge is not None else 0)
        return draw(st.integers(low, int(bounds.le if bounds.le is not None else 10_000)))
    if kind == "number":
        low, high = bounds.ge or bounds.gt or 0.0, bounds.le or bounds.lt or 1000.0
        number = draw(st.floats(low, high, exclude_min=bounds.gt is not None, exclude_max=bounds.lt is not None))
        return float(written(number)) if bounds.contain(float(written(number))) else key.default
    if kind == "list of texts":
        return draw(st.lists(st.sampled_from(["q_proj", "v_proj", "gate"]), min_size=1, max_size=3))
    if key.pattern is not None:
        return draw(st.sampled_from([text for text in _PATTERNED if re.search(key.pattern, text)]))
    return draw(st.sampled_from(["org/model", "data", "1", "true", "null", "with space", "a: b", "it's", "é😀"]))


@st.composite
def sections(draw: st.DrawFn, section: Section) -> dict[str, Any]:
    """A valid mapping for a section, with any choice of its optional keys, never empty."""
    chosen: dict[str, Any] = {}
    for key in section.keys.values():
        if not key.required and draw(st.integers(0, 2)):
            continue
        if key.section is None:
            chosen[key.name] = draw(values(key))
        elif key.is_list:
            chosen[key.name] = draw(st.lists(sections(key.section), min_size=1, max_size=3))
        elif inner := draw(sections(key.section)):
            chosen[key.name] = inner
    return chosen


def configs() -> st.SearchStrategy[dict[str, Any]]:
    """Valid configs as plain values."""
    return sections(language())


def to_yaml(value: Any, indent: int = 0) -> str:
    """Write plain values as a block-style document."""
    pad = " " * indent
    lines = []
    for key, item in value.items():
        if isinstance(item, dict):
            lines.append(f"{pad}{key}:\n{to_yaml(item, indent + 2)}")
        elif isinstance(item, list) and item and isinstance(item[0], dict):
            lines.append(f"{pad}{key}:\n")
            for entry in item:
                body = to_yaml(entry, indent + 4)
                lines.append(f"{pad}  - {body[indent + 4 :]}")
        elif isinstance(item, list):
            lines.append(f"{pad}{key}: [{', '.join(written(part) for part in item)}]\n")
        else:
            lines.append(f"{pad}{key}: {written(item)}\n")
    return "".join(lines)
