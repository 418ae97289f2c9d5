"""Feed the check with what no config should be, and fail when it raises, hangs or points outside the text.

    python benchmarks/findings/fuzz.py [--seconds 60] [--seed 0] [--monsters]

Texts come from the corpus, cut up and mixed with what gives YAML parsers trouble. `--monsters` tries the largest and
deepest ones instead, once each, every one in a process of its own with its processor time and memory measured.
"""

import argparse
import multiprocessing
import random
import resource
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.findings.planting import CORPUS, good_texts

from peft_daemon.language.check import check_file, check_text
from peft_engine.config.text import SourceText

PIECES = [
    "\t", "\r\n", "\r", "\n", "\x00", "\ufeff", "😀", "\u2028", "\x85", "\ud800", ": ", "- ", "? ", "{", "}", "[", "]",
    ",", "&a ", "*a", "<<: *a", "<<: [*a, *a]", "!!str ", "!x ", "'", '"', "#", "|", ">-\n", "---\n", "...\n",
    "%YAML 1.2\n", "%TAG ! x\n", "@", "`", "<<<<<<< HEAD\n", "=======\n", "||||||| base\n", ">>>>>>> b\n", "~", "1e-4",
    ".nan", "-.inf", "0x1F", "0o17", "1_000", "12:30:45", "    ", "  ", "version: 1\n", "model:\n", "datasets:\n",
]  # fmt: skip
MEMORY = 1_500 * 2**20
SECONDS = 60


def mutated(dice: random.Random) -> str:
    """Return a good config after some accidents."""
    text = dice.choice(good_texts())
    for _ in range(dice.randint(1, 8)):
        at, size = dice.randint(0, len(text)), dice.choice([0, 1, 2, 10, 80])
        piece = dice.choice([*PIECES, text[at : at + size], dice.choice(good_texts())[at : at + 40]])
        text = text[:at] + piece * dice.choice([1, 1, 1, 2, 30]) + text[at + dice.choice([0, 0, size]) :]
    return text


def look(text: str) -> None:
    """Check a text.

    Raises:
        AssertionError: A range lies outside the text, or a message is none.
    """
    source = SourceText(text)
    end = source.position(len(source))
    for finding in check_text(text):
        ranges = [
            finding.range,
            *(r.range for r in finding.related),
            *(e.range for f in finding.fixes for e in f.edits),
        ]
        for found in ranges:
            start, stop = (found.start.line, found.start.character), (found.end.line, found.end.character)
            assert (0, 0) <= start <= stop <= (end.line, end.character), finding
        assert finding.message and "\n" not in finding.message, finding


def _many_lines() -> str:
    return good_texts()[0] + "".join(f"key{i}: {i}\n" for i in range(5_000))


def _long_config() -> str:
    entries = "".join(f"  - path: data/{i}.jsonl\n    format: auto\n    wieght: {i}\n" for i in range(1_700))
    return f"version: 1\nmodel:\n  base: org/model\ndatasets:\n{entries}"


def _laughs() -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    return "\n".join(lines + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)])


def _laughing_merges() -> str:
    lines = ["a0: &a0 {k0: 1}"]
    return "\n".join(lines + [f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}], k{i}: 1}}" for i in range(1, 12)])


MONSTERS: dict[str, Callable[[], str]] = {
    "5,000 lines": _many_lines,
    "5,000 lines of datasets": _long_config,
    "a billion laughs": _laughs,
    "a billion merges": _laughing_merges,
    "one line of 300,000 characters": lambda: "name: " + "x" * 299_990,
    "one line of 300,000 emoji": lambda: "name: " + "😀" * 299_000,
    "one line of 60,000 flow keys": lambda: "{" + "a: 1, " * 49_000 + "}",
    "brackets without end": lambda: "[" * 290_000,
    "braces without end": lambda: "{a: " * 70_000,
    "dashes without end": lambda: "- " * 140_000,
    "question marks without end": lambda: "? " * 140_000,
    "quotes without end": lambda: 'a: "\n' * 50_000,
    "12,000 anchors": lambda: "".join(f"a{i}: &x{i} {i}\n" for i in range(12_000)),
    "20,000 aliases": lambda: "a: &a 1\n" + "".join(f"k{i}: *a\n" for i in range(20_000)),
    "a chain of 5,000 merges": lambda: (
        "a0: &a0 {k: 1}\n" + "".join(f"a{i}: &a{i} {{<<: *a{i - 1}}}\n" for i in range(1, 5_000))
    ),
    "10,000 conflict markers": lambda: "<<<<<<< HEAD\n=======\n>>>>>>> b\n" * 8_000,
    "tabs": lambda: "\t" * 299_000,
    "NULs": lambda: "\x00" * 299_000,
    "CR only": lambda: "a: 1\r" * 50_000,
    "one key 30,000 times": lambda: "name: a\n" * 30_000,
    "staircase": lambda: "".join(" " * depth + "a:\n" for depth in range(700)),
    "documents": lambda: "---\na: 1\n" * 30_000,
    "comments": lambda: "# a\n" * 70_000,
    "tags": lambda: "!a " * 90_000,
    "colons": lambda: ": : :\n" * 40_000,
    "secrets": lambda: "# " + "hf_" * 90_000,
    "backtracking": lambda: "a: '" + "(a+)+" * 50_000 + "'",
    "lone surrogates": lambda: "\ud800" * 200_000,
    "a target expression that backtracks": lambda: (
        good_texts()[0] + "method: {target_modules: '" + "(a*)*" * 20_000 + "'}\n"
    ),
}


def _measured(make: Callable[[], None]) -> tuple[str, float, int]:
    """Run something in a process of its own; return what went wrong, its processor seconds and the bytes it took."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()

    def child() -> None:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS * 2, SECONDS * 2))
        started = time.process_time()
        try:
            make()
            problem = ""
        except BaseException:  # whatever it is, it is what is looked for
            problem = traceback.format_exc(limit=-3)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        there.send((problem, time.process_time() - started, peak * 1024))

    process = context.Process(target=child)
    process.start()
    process.join(SECONDS * 6)
    if here.poll():
        outcome: tuple[str, float, int] = here.recv()
        return outcome
    process.kill()
    return f"no answer, exit code {process.exitcode}", float(SECONDS), 0


def monsters() -> int:
    """Try every monster; return how many were too much."""
    tried: dict[str, Callable[[], None]] = {name: partial(_look_at, make) for name, make in MONSTERS.items()}
    with tempfile.TemporaryDirectory() as folder:
        noise = Path(folder) / "noise.peft.yaml"
        with noise.open("wb") as file:
            dice = random.Random(0)
            for _ in range(100):
                file.write(dice.randbytes(2**20))
        tried["100 MB of noise on disk"] = partial(_check_file, noise)
        failed = 0
        for name, make in tried.items():
            problem, seconds, peak = _measured(make)
            bad = bool(problem) or seconds > SECONDS or peak > MEMORY
            failed += bad
            print(f"{'FAILED' if bad else 'ok':7} {seconds:7.2f} s {peak / 2**20:7.0f} MiB  {name}")
            if problem:
                print(problem)
    return failed


def _look_at(make: Callable[[], str]) -> None:
    look(make())


def _check_file(path: Path) -> None:
    check_file(path)


def storm(seconds: float, seed: int) -> int:
    """Try mutated configs and bytes for a time; return how many failed."""
    ends, count, failed, slowest = time.monotonic() + seconds, 0, 0, 0.0
    with tempfile.TemporaryDirectory(dir=None) as folder:
        path = Path(folder) / "x.peft.yaml"
        while time.monotonic() < ends:
            dice = random.Random(f"{seed} {count}")
            text = mutated(dice)
            started = time.process_time()
            try:
                look(text)
                if count % 50 == 0:
                    path.write_bytes(dice.randbytes(dice.randint(0, 3_000)))
                    check_file(path)
            except Exception:
                failed += 1
                print(f"seed {seed}, number {count}: {text!r}\n{traceback.format_exc(limit=-4)}")
            slowest = max(slowest, time.process_time() - started)
            count += 1
    print(f"{count} texts from {CORPUS.name}, {failed} failed, the slowest took {slowest:.2f} s")
    return failed


def main() -> None:
    """Fuzz, and exit with 1 when something failed."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=float, default=60)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--monsters", action="store_true")
    chosen = options.parse_args()
    sys.exit(bool(monsters() if chosen.monsters else storm(chosen.seconds, chosen.seed)))


if __name__ == "__main__":
    main()
