"""Planting one known fault into a valid config: the text, the code that must be found, and where."""

from dataclasses import dataclass
from itertools import pairwise

from hypothesis import strategies as st

from peft_daemon.language.rules.registry import Fix
from peft_engine.config.document import parse
from peft_engine.config.foreign import foreign_names
from peft_engine.config.nodes import Entry, Mapping, Scalar, Sequence
from peft_engine.config.schema import Key, language
from peft_engine.config.text import SourceText
from tests.property.strategies import configs, to_yaml


@dataclass(frozen=True)
class Planted:
    text: str
    code: str
    start: int
    end: int


def apply(text: str, fix: Fix) -> str:
    """Apply a fix as an editor does: all ranges count in the text before any edit."""
    source = SourceText(text)
    spans = [(source.offset(edit.range.start), source.offset(edit.range.end), edit.newText) for edit in fix.edits]
    spans.sort(reverse=True)
    for (start, _, _), (_, earlier_end, _) in pairwise(spans):
        assert earlier_end <= start, "the edits of a fix overlap"
    for start, end, new in spans:
        text = text[:start] + new + text[end:]
    return text


def leaves(text: str) -> list[tuple[Key, Entry]]:
    """Every key with a scalar value, with its place."""
    found: list[tuple[Key, Entry]] = []

    def visit(keys: dict[str, Key], mapping: Mapping) -> None:
        for entry in mapping.entries:
            key = keys[entry.name]
            if key.section is None:
                if isinstance(entry.value, Scalar):
                    found.append((key, entry))
            elif isinstance(entry.value, Mapping):
                visit(key.section.keys, entry.value)
            elif isinstance(entry.value, Sequence):
                for item in entry.value.items:
                    assert isinstance(item, Mapping)
                    visit(key.section.keys, item)

    root = parse(SourceText(text)).root
    assert isinstance(root, Mapping)
    visit(language().keys, root)
    return found


@st.composite
def planted(draw: st.DrawFn) -> Planted:
    """A config with one fault."""
    text = to_yaml(draw(configs()))
    kind = draw(st.sampled_from(["typo", "type", "range", "choice", "repeat", "foreign", "tab", "empty", "version"]))
    candidates = leaves(text)
    numbers = [(k, e) for k, e in candidates if str(k.bounds)]
    choices = [(k, e) for k, e in candidates if len(k.choices) > 1]
    if kind == "typo":
        key, entry = draw(
            st.sampled_from([(k, e) for k, e in candidates if len(k.name) > 4 and not k.required] or candidates)
        )
        at = draw(st.integers(1, len(key.name) - 1))
        wrong = key.name[:at] + "q" + key.name[at:]
        return Planted(
            text[: entry.key.start] + wrong + text[entry.key.end :],
            "PW101",
            entry.key.start,
            entry.key.start + len(wrong),
        )
    if kind == "range" and numbers:
        key, entry = draw(st.sampled_from(numbers))
        bad = draw(st.sampled_from(["-1", "0", "-0.5", "99999999999"]))
        number = float(bad)
        if key.bounds.contain(number) or (key.types == ("integer",) and "." in bad):
            bad = "-7"
        return _value(text, entry, bad, "PW103")
    if kind == "choice" and choices:
        key, entry = draw(st.sampled_from(choices))
        return _value(text, entry, f"{entry.value.raw.strip(chr(34))}x", "PW105")  # type: ignore[union-attr]
    if kind == "type" and numbers:
        _, entry = draw(st.sampled_from(numbers))
        return _value(text, entry, draw(st.sampled_from(['"3"', "many", "[1]", "{a: 1}", "true"])), "PW102")
    if kind == "empty" and numbers:
        key, entry = draw(st.sampled_from(numbers))
        if not key.nullable:
            at = entry.value.start - 1
            cut = text[:at] + text[entry.value.end :]
            return Planted(cut, "PW111", entry.key.start, entry.key.end)
    if kind == "foreign":
        name = draw(st.sampled_from(sorted(foreign_names())))
        return Planted(f"{text}{name}: 1\n", "PW110", len(text), len(text) + len(name))
    if kind == "tab":
        first = text.index("\n  ") + 1
        return Planted(text[:first] + "\t" + text[first + 2 :], "PW003", first, first + 1)
    if kind == "version":
        return Planted(text.replace("version: 1", "version: 3", 1), "PW108", 9, 10)
    key, entry = candidates[0]
    line = text[entry.start : entry.end]
    assert key.name == "version"
    return Planted(f"{text}{line}\n", "PW106", len(text), len(text) + len(entry.name))


def _value(text: str, entry: Entry, bad: str, code: str) -> Planted:
    start = entry.value.start
    return Planted(text[:start] + bad + text[entry.value.end :], code, start, start + len(bad))
