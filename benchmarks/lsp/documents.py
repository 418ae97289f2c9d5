"""What is typed, and into what: valid configs of a given length, and keys that are written letter by letter."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FILE = "bench.peft.yaml"
HEAD = """\
version: 1
name: bench
model:
  base: HuggingFaceTB/SmolLM2-135M-Instruct
  dtype: float32
method:
  type: lora
  r: 16
  alpha: 32
training:
  num_epochs: 3
  batch_size: 4
  learning_rate: 2.0e-4
  max_length: 1024
evaluation:
  split: 0.1
  every_steps: 50
datasets:
"""
ENTRY = """\
  # source {index}
  - path: data/part-{index:04}.jsonl
    format: messages
    weight: 1.5

"""
RECORD = '{"messages": [{"role": "user", "content": "Say hello."}, {"role": "assistant", "content": "Hello."}]}\n'


@dataclass(frozen=True)
class Place:
    """Where something is typed: the line that comes to stand there, and what is typed on it."""

    name: str
    line: int
    typed: str


def write_document(folder: Path, lines: int) -> str:
    """Return a valid config of a number of lines, and write it and the files that it names into a folder."""
    count = (lines - HEAD.count("\n")) // ENTRY.count("\n")
    text = HEAD + "".join(ENTRY.format(index=index) for index in range(count))
    text += "# end\n" * (lines - text.count("\n"))
    (folder / "data").mkdir(parents=True, exist_ok=True)
    for index in range(count):
        (folder / f"data/part-{index:04}.jsonl").write_text(RECORD, encoding="utf-8")
    (folder / FILE).write_text(text, encoding="utf-8")
    return text


def places(text: str) -> list[Place]:
    """Return where keys are typed: near the top, in the middle of the file, and in its last entry.

    Half of the states on the way are no config, and those between a bracket and its end are not even YAML.
    """
    weights = [number for number, line in enumerate(text.splitlines()) if line.startswith("    weight:")]
    return [
        Place("top", text.splitlines().index("  alpha: 32") + 1, "  dropout: 0.05"),
        Place("middle", weights[len(weights) // 2] + 1, "    columns: {messages: chat}"),
        Place("last entry", weights[-1] + 1, "    split: train[:50%]"),
    ]


def keystrokes(place: Place) -> Iterator[dict[str, object]]:
    """Yield LSP's change of each keystroke: a new line, its characters, and as many backspaces."""
    yield _change(place.line, 0, place.line, 0, "\n")
    for column, character in enumerate(place.typed):
        yield _change(place.line, column, place.line, column, character)
    for column in reversed(range(len(place.typed))):
        yield _change(place.line, column, place.line, column + 1, "")
    yield _change(place.line, 0, place.line + 1, 0, "")


def _change(line: int, column: int, end_line: int, end_column: int, text: str) -> dict[str, object]:
    start, end = {"line": line, "character": column}, {"line": end_line, "character": end_column}
    return {"range": {"start": start, "end": end}, "text": text}
