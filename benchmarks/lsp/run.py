"""`make bench`: our language server against yaml-language-server, over the same documents and keystrokes."""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.lsp.client import Client
from benchmarks.lsp.documents import FILE, Place, keystrokes, places, write_document
from benchmarks.lsp.servers import Server, ours, peer
from benchmarks.ratios import Ratio, write_ratios

LINES = (200, 5000)
QUIET = 1.0
"""Seconds without work after which a server counts as done with what it does after its start."""

LONGEST_START = 60.0
"""Seconds after which typing begins all the same."""

PAUSE = 0.03
"""Seconds between the diagnostics of a keystroke and the next keystroke."""

COMPLETIONS = 10
"""Completions that are asked for at each place."""


@dataclass
class Samples:
    """What was measured of one server with one document; seconds, and bytes."""

    first: list[float] = field(default_factory=list)
    keystroke: list[float] = field(default_factory=list)
    completion: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Measure:
    """A line of the table."""

    name: str
    unit: str
    scale: float
    of: Callable[[Samples], float]
    limit: float | None = None
    """The largest share of the peer's figure that we allow ourselves."""


def p95(values: Sequence[float]) -> float:
    """Return the value that 95 of 100 do not exceed."""
    return sorted(values)[max(0, round(0.95 * len(values)) - 1)]


MEASURES = (
    Measure("start to first diagnostics", "ms", 1e3, lambda s: statistics.median(s.first), 1.0),
    Measure("keystroke to diagnostics, p50", "ms", 1e3, lambda s: statistics.median(s.keystroke)),
    Measure("keystroke to diagnostics, p95", "ms", 1e3, lambda s: p95(s.keystroke), 0.1),
    Measure("processor time an edit", "ms", 1e3, lambda s: statistics.mean(s.processor), 0.25),
    Measure("completion, p50", "ms", 1e3, lambda s: statistics.median(s.completion)),
    Measure("completion, p95", "ms", 1e3, lambda s: p95(s.completion)),
    Measure("memory after the edits", "MB", 1e-6, lambda s: statistics.median(s.memory), 1.0),
)


def measure(server: Server, folder: Path, text: str, samples: Samples) -> None:
    """Start a server, type at every place, and add what was measured."""
    # What this machine's user has trained and serves is watched as well, and is no part of what is measured.
    client = Client(server.command, folder, server.configuration, PEFTW_HOME=str(folder / "home"))
    try:
        uri = (folder / FILE).as_uri()
        client.initialize(folder)
        # A misspelt key, because a server may first say that nothing is wrong while it still loads the schema.
        broken = text.replace("learning_rate:", "learning_rat:")
        item = {"uri": uri, "languageId": "yaml", "version": 1, "text": broken}
        client.notify("textDocument/didOpen", {"textDocument": item})
        arrived, found = client.diagnostics(uri, 1)
        while not found:
            arrived, found = client.diagnostics(uri, 1)
        samples.first.append(arrived - client.started)
        _settle(client)
        editor = _Editor(client, uri)
        editor.type({"text": text})
        for place in places(text):
            _type_at(editor, place, samples)
        samples.memory.append(client.memory())
    finally:
        client.close()


def _settle(client: Client) -> None:
    """Wait until a server has done what it does after its start, which is no edit's cost."""
    deadline = time.perf_counter() + LONGEST_START
    before = -QUIET
    while (now := client.processor_time()) - before > QUIET / 20 and time.perf_counter() < deadline:
        before = now
        time.sleep(QUIET)


class _Editor:
    """Sends edits one by one, each when the diagnostics of the one before are there."""

    def __init__(self, client: Client, uri: str) -> None:
        self.client = client
        self.uri = uri
        self._version = 1

    def type(self, change: dict[str, object]) -> float:
        """Make an edit and return the seconds to its diagnostics."""
        time.sleep(PAUSE)
        self._version += 1
        document = {"uri": self.uri, "version": self._version}
        begun = self.client.notify("textDocument/didChange", {"textDocument": document, "contentChanges": [change]})
        return self.client.diagnostics(self.uri, self._version)[0] - begun


def _type_at(editor: _Editor, place: Place, samples: Samples) -> None:
    before = editor.client.processor_time()
    took = [editor.type(change) for change in keystrokes(place)]
    samples.processor.append((editor.client.processor_time() - before) / len(took))
    samples.keystroke += took
    # Completion apart from that, with the cursor behind the first letters of the key.
    letters = len(place.typed) - len(place.typed.lstrip()) + 2
    changes = list(keystrokes(place))
    for change in changes[: 1 + letters]:
        editor.type(change)
    position = {"line": place.line, "character": letters}
    params = {"textDocument": {"uri": editor.uri}, "position": position}
    samples.completion += [editor.client.request("textDocument/completion", params) for _ in range(COMPLETIONS)]
    for change in changes[-1 - letters :]:
        editor.type(change)


def report(results: dict[int, dict[str, Samples]], names: Sequence[str]) -> None:
    """Print the table."""
    print(f"{'':32}{'lines':>6}" + "".join(f"{name:>24}" for name in names) + f"{'ratio':>8}{'limit':>8}")
    for line in MEASURES:
        for lines, by_server in results.items():
            values = [line.of(by_server[name]) for name in names]
            row = f"{line.name:32}{lines:>6}" + "".join(
                f"{value * line.scale:>21.1f} {line.unit:2}" for value in values
            )
            if len(values) == 2:
                ratio = values[0] / values[1]
                held = "" if line.limit is None else f"{line.limit:>8.2f}{'' if ratio <= line.limit else '  exceeded'}"
                row += f"{ratio:>8.3f}{held}"
            print(row)


def ratios(results: dict[int, dict[str, Samples]], names: Sequence[str]) -> list[Ratio]:
    """Return the table's last columns; nothing without a peer."""
    return [
        Ratio(f"{line.name}, {lines} lines", line.of(by_server[names[0]]) / line.of(by_server[names[1]]), line.limit)
        for line in MEASURES
        for lines, by_server in results.items()
        if len(names) == 2
    ]


def main() -> None:
    """Measure both servers in turn and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="starts of each server with each document")
    parser.add_argument("--lines", type=int, nargs="+", default=LINES, help="lengths of the documents")
    parser.add_argument("--json", type=Path, help="also write the ratios to this file")
    options = parser.parse_args()
    servers = [ours()]
    try:
        servers.append(peer())
    except RuntimeError as error:
        print(f"Without a peer, so without ratios: {error}\n")
    results = {lines: {server.name: Samples() for server in servers} for lines in options.lines}
    for _ in range(options.rounds):
        for lines in options.lines:
            for server in servers:
                with tempfile.TemporaryDirectory() as folder:
                    text = write_document(Path(folder), lines)
                    measure(server, Path(folder), text, results[lines][server.name])
    names = [server.name for server in servers]
    report(results, names)
    if options.json:
        write_ratios(options.json, ratios(results, names))


if __name__ == "__main__":
    main()
