"""Limits, thresholds, waits and addresses have a name or stand in the profiles: none is hidden in a line of code."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SERVICES = ("daemon", "engine", "connectors")

WAITS = {"timeout", "retries", "interval", "delay", "limit", "max_workers"}
"""Arguments that say how long or how often something is tried."""

WAITING = {"sleep", "wait", "wait_for", "call_later"}

FACTS = {
    "daemon/peft_daemon/cli/check_formats.py": {"https://json.schemastore.org/sarif-2.1.0.json"},  # SARIF's own name
    "daemon/peft_daemon/language/features/links.py": {"https://huggingface.co"},  # where a person reads of a model
    "engine/peft_engine/models/hub_client.py": {"https://huggingface.co"},  # HF_ENDPOINT replaces it
    "daemon/peft_daemon/serving/client.py": {200},  # the status that means success
    "daemon/peft_daemon/serving/control.py": {200},
    "daemon/peft_daemon/language/figures.py": {100},  # per cent
    "daemon/peft_daemon/language/rules/wordings.py": {12, 24, 60},  # hours of a clock and of a day, minutes of an hour
    "daemon/peft_daemon/language/rules/records.py": {100},
    "engine/peft_engine/datasets/slices.py": {100},
    "engine/peft_engine/config/schema.py": {0.001, 1e15},  # how Python writes numbers
    "engine/peft_engine/config/scalars.py": {0x10FFFF, 0xD800, 0xDFFF},  # Unicode
    "engine/peft_engine/config/foreign/llamafactory.py": {8},  # bits
    "engine/peft_engine/config/foreign/oumi.py": {8},
    "engine/peft_engine/export/vocabulary.py": {6},  # SentencePiece's type of byte pieces
    "engine/peft_engine/models/safetensors_header.py": {8},  # bytes of the format's length field
    "engine/peft_engine/models/formats/protobuf.py": {128},  # the bit that continues a varint
}
"""What a format, a protocol or arithmetic says, which nobody could wish to change."""

POLLS = 0.1
"""Seconds below which a pause is only how often something is looked at, which changes no outcome."""

SMALL = 4
"""Up to here a number counts: parts of a name, items of a pair."""


def literals(tree: ast.AST) -> Iterator[ast.Constant]:
    """Yield addresses, and the numbers that something is compared with or waits for."""
    for node in ast.walk(tree):
        found: list[ast.expr] = []
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found = [node] if node.value.startswith(("http://", "https://")) else []
        elif isinstance(node, ast.Compare):
            found = [node.left, *node.comparators]
        elif isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            found = [keyword.value for keyword in node.keywords if keyword.arg in WAITS]
            found += [argument for argument in node.args if called in WAITING]
        yield from (literal for literal in found if isinstance(literal, ast.Constant))


def decides(value: object) -> bool:
    """Tell whether a literal is one that somebody could want to change."""
    if isinstance(value, str):
        return value.startswith(("http://", "https://")) and not value.startswith("http://127.0.0.1") and len(value) > 8
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) > SMALL or (value != int(value) and not 0 < value <= POLLS and value != 1 / 2)


def test_A17_no_limit_wait_or_address_stands_nameless_in_the_code() -> None:
    hidden = []
    for path in sorted(path for service in SERVICES for path in (ROOT / service).rglob("*.py")):
        name = str(path.relative_to(ROOT))
        nodes = literals(ast.parse(path.read_text(encoding="utf-8")))
        deciding = [node for node in nodes if decides(node.value)]
        hidden += [f"{name}:{node.lineno}: {node.value}" for node in deciding if node.value not in FACTS.get(name, ())]
    assert hidden == []


def test_A17_the_lint_sees_what_it_looks_for() -> None:
    code = "x = 'https://a.example'\nif n > 37: f(timeout=9.5)\ntime.sleep(5)\n"
    assert [node.value for node in literals(ast.parse(code)) if decides(node.value)] == [
        "https://a.example",
        37,
        5,
        9.5,
    ]
    unused = {name: value for name, value in FACTS.items() if not (ROOT / name).is_file()}
    assert unused == {}
