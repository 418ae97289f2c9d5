"""`make bench-serving`: our inference process against other servers on the same model, prompts and threads."""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.ratios import Ratio, write_ratios  # noqa: E402
from benchmarks.serving.client import ANSWER, Measured, measure  # noqa: E402
from benchmarks.serving.servers import (  # noqa: E402
    CONTEXT,
    HERE,
    SLOTS,
    Server,
    llama_cpp_example,
    llama_cpp_server,
    ours,
    surroundings,
    xllamacpp,
)

from tests.integration.serving.homes import BASE, complete_run  # noqa: E402

T = TypeVar("T")
Figures = dict[str, dict[str, list[Measured]]]
OURS = "ours"
RAW_LIMIT = 1 / 0.95
"""One stream has at least 0.95 of the tokens a second of llama.cpp's own loop."""

PAIRS = 3
"""How often, in each round, that loop and our process answer the same question, one after the other."""

SWITCH_LIMIT = 0.01


def prompt(topic: str, words: int = 40) -> str:
    """Return a text that begins with its topic, so that none shares its beginning with another."""
    return f"{topic}. " + " ".join(f"{topic} has {number} parts," for number in range(words // 4))


def cases(server: Server, turn: int) -> Iterator[tuple[str, list[str], list[int]]]:
    """Yield each case: its name, its prompts and which model answers each."""
    topics = [f"Story {turn} of the {thing}" for thing in ("sea", "moon", "forest", "town")]
    yield "one chat", [prompt(topics[0])], [0]
    if len(server.models) > 1:
        yield "one chat, adapter", [prompt(topics[0])], [1]
    yield "four chats", [prompt(f"Again, {topic}") for topic in topics], [0] * SLOTS
    if len(server.models) > SLOTS:
        yield "four chats, one adapter", [prompt(topic) for topic in topics], [1] * SLOTS
        yield "four chats, four adapters", [prompt(topic) for topic in topics], [*range(1, SLOTS + 1)]
    yield "long prompt, first time", [prompt(f"At length, {topics[1]}", 400)], [0]
    other_end = prompt(f"At length, {topics[1]}", 400) + " So it ends."
    yield "long prompt, with another end", [other_end], [0]
    yield "long prompt, again", [other_end], [0]


def warm_up(server: Server) -> None:
    """Let a process load what it loads and try what it tries with its first answers, which are not measured."""
    for model in range(len(server.models)):
        asyncio.run(measure(server, [prompt("Warming up", 8)], [model]))
    # Beside each number of others: ours tries each number of rows of a batch eight times.
    for model in {0, len(server.models) - 1}:
        for beside in range(2, SLOTS + 1):
            prompts = [prompt(f"{number} of {beside} warms up", 8) for number in range(beside)]
            asyncio.run(measure(server, prompts, [model] * beside))


@contextmanager
def served(name: str, home: Path, threads: int) -> Iterator[Server]:
    """Start a contestant."""
    from peft_engine.models import resolve_base

    base = resolve_base(BASE).gguf
    if base is None:
        raise SystemExit("the model is not installed")
    runs = sorted(path.name for path in (home / "runs").iterdir())
    adapters = [home / "runs" / run / "adapter.gguf" for run in runs]
    if name == OURS:
        with ours(home, [BASE, *(f"{BASE}:{run}" for run in runs)], threads) as server:
            yield server
    elif name == "xllamacpp":
        with xllamacpp(base, adapters, threads) as server:
            yield server
    elif name == "llama-cpp-python-example":
        with llama_cpp_example(base, threads) as server:
            yield server
    else:
        with llama_cpp_server(base, threads) as server:
            yield server


@dataclass(frozen=True)
class Cost:
    """What something took, in seconds."""

    wall: float
    processor: float


def against_raw_loop(server: Server, threads: int, turn: int) -> Iterator[Cost]:
    """Yield how many times as long as in llama.cpp's own loop a token of a single stream takes."""
    from peft_engine.models import resolve_base

    for number in range(PAIRS):
        text = prompt(f"Pair {number} of turn {turn}")
        command = [sys.executable, HERE / "raw.py", resolve_base(BASE).gguf, threads, text, ANSWER]
        done = subprocess.run([*map(str, command)], capture_output=True, check=True, env=surroundings())
        raw = Cost(**json.loads(done.stdout))
        mine = asyncio.run(measure(server, [text], [0]))
        yield Cost(1 / mine.tokens_per_second / raw.wall, 1 / mine.tokens_per_processor_second / raw.processor)


def switch_and_reload(home: Path, threads: int) -> tuple[Cost, Cost]:
    """Return what a change to another adapter takes that is in memory, and what loading base and adapter anew does.

    Both to the first token; of the change only what the same request takes longer than without it.
    """
    from peft_engine.inference.contract import AdapterUse, GenerationRequest, Sampling, Text
    from peft_engine.inference.llama import LlamaEngine
    from peft_engine.models import resolve_base

    base = resolve_base(BASE).gguf
    assert base is not None
    uses = [AdapterUse(path / "adapter.gguf") for path in sorted((home / "runs").iterdir())][:2]
    # A prompt that is known as a whole computes nothing, and so changes nothing: each of these is asked once. All have
    # one length, in tokens too.
    unheard = map(str, range(10, 100))

    def first_token(engine: LlamaEngine, use: AdapterUse) -> None:
        sequence = engine.open(GenerationRequest(Text(next(unheard)), (use,), Sampling(0, 1, 0), max_tokens=1))
        while sequence.finish_reason is None:
            engine.step()
        assert not sequence.cached_tokens
        sequence.close()

    def load() -> LlamaEngine:
        engine = LlamaEngine(base, context_length=CONTEXT, threads=threads, slots=SLOTS)
        first_token(engine, uses[0])
        return engine

    engine, reload = _timed(load)
    first_token(engine, uses[1])
    stays, switches = [], []
    for _ in range(12):
        for found, use in ((switches, uses[0]), (stays, uses[0]), (switches, uses[1]), (stays, uses[1])):
            found.append(_timed(partial(first_token, engine, use))[1])
    engine.unload()
    return Cost(*(_middle(switches, what) - _middle(stays, what) for what in ("wall", "processor"))), reload


def _timed(work: Callable[[], T]) -> tuple[T, Cost]:
    wall, processor = time.perf_counter(), time.process_time()
    result = work()
    return result, Cost(time.perf_counter() - wall, time.process_time() - processor)


def _middle(costs: Sequence[Cost], what: str) -> float:
    return statistics.median(getattr(cost, what) for cost in costs)


def median(found: Sequence[Measured], what: str) -> float:
    """Return the median of one figure."""
    return statistics.median(getattr(one, what) for one in found)


def report(figures: Figures, raw: Sequence[Cost], switch: tuple[Cost, Cost]) -> list[Ratio]:
    """Print the figures and ours as ratios to the best peer's, and return the ratios."""
    ratios = []
    for case, by_server in figures.items():
        print(f"\n{case}")
        print(f"  {'':27}{'first token s':>14}{'tok/s':>8}{'tok/cpu-s':>11}")
        for name, found in by_server.items():
            first, wall, processor = (
                median(found, what) for what in ("first_token", "tokens_per_second", "tokens_per_processor_second")
            )
            print(f"  {name:27}{first:14.3f}{wall:8.1f}{processor:11.1f}")
        peers = [found for name, found in by_server.items() if name != OURS]
        if not peers or OURS not in by_server:
            continue
        mine = by_server[OURS]
        best_first = min(median(found, "first_token") for found in peers)
        ratios.append(Ratio(f"{case}: first token", median(mine, "first_token") / best_first, 1.0))
        for what, label in (
            ("tokens_per_second", "time a token"),
            ("tokens_per_processor_second", "processor time a token"),
        ):
            best = max(median(found, what) for found in peers)
            ratios.append(Ratio(f"{case}: {label}", best / median(mine, what), 1.0))
    if raw:
        ratios.append(Ratio("one chat: time a token, against the raw loop", _middle(raw, "wall"), RAW_LIMIT))
        ratios.append(
            Ratio("one chat: processor time a token, against the raw loop", _middle(raw, "processor"), RAW_LIMIT)
        )
    change, reload = switch
    for what, label in (("wall", "time"), ("processor", "processor time")):
        ratio = max(getattr(change, what), 0) / getattr(reload, what)
        ratios.append(Ratio(f"adapter switch: {label}, against a reload", ratio, SWITCH_LIMIT))
    print(f"\nadapter switch {change.wall * 1e3:.2f} ms, reload {reload.wall * 1e3:.0f} ms")
    print("\nratios; smaller is better")
    for ratio in ratios:
        limit = (
            ""
            if ratio.limit is None
            else f"  limit {ratio.limit:.3g}{'' if ratio.value <= ratio.limit else '  MISSED'}"
        )
        print(f"  {ratio.name:60}{ratio.value:8.3f}{limit}")
    return ratios


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = (OURS, "llama-cpp-python", "llama-cpp-python-example", "xllamacpp")
    parser.add_argument("--contestants", nargs="+", choices=names, default=names)
    parser.add_argument("--rounds", type=int, default=3, help="times that each contestant is asked, in turn")
    parser.add_argument("--threads", type=int, default=1, help="that compute, for each contestant")
    parser.add_argument("--json", type=Path, help="where the ratios are written")
    chosen = parser.parse_args(arguments)
    figures: Figures = defaultdict(lambda: defaultdict(list))
    raw: list[Cost] = []
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        os.environ["PEFTW_HOME"] = str(home)
        for number in range(1, SLOTS + 1):
            complete_run(f"adapter{number}", seed=number)
        for turn in range(chosen.rounds):
            for contestant in chosen.contestants:
                with served(contestant, home, chosen.threads) as server:
                    warm_up(server)
                    for case, prompts, models in cases(server, turn):
                        found = asyncio.run(measure(server, prompts, models))
                        figures[case][server.name].append(found)
                        print(f"{turn} {server.name}, {case}: {found}", file=sys.stderr, flush=True)
                    if contestant == OURS:
                        raw += against_raw_loop(server, chosen.threads, turn)
        ratios = report(figures, raw, switch_and_reload(home, chosen.threads))
    if chosen.json:
        write_ratios(chosen.json, ratios)


if __name__ == "__main__":
    main()
