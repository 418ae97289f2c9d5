"""The run store against reading the directories and against a table with one row a point, in one process."""

import argparse
import json
import os
import random
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from peft_daemon.runs.follow import summarise
from peft_daemon.runs.store import find_runs, read_series
from peft_daemon.runs.store.database import STORE
from peft_daemon.runs.store.query import parse_condition
from peft_engine.rundir import RunDirectory, create_run_directory, list_runs
from peft_schemas.config import RunConfig
from peft_schemas.events import MetricEvent, StateFile
from peft_schemas.records import RunQuery, SeriesParams

METRICS = ("loss", "learning_rate", "grad_norm", "tokens_per_second", "tokens", "memory_bytes")
POINTS = 500
ROUNDS = 5
TIME = "2026-11-22T09:00:00.000Z"


def lay_out(name: str, steps: int, rng: random.Random) -> RunDirectory:
    """Make the directory of a run that was stopped, with the six metrics of the worker."""
    run = create_run_directory(name)
    config = RunConfig.model_validate(
        {"version": 1, "name": name, "model": {"base": "org/base"}, "datasets": [{"path": "train.jsonl"}]}
    )
    run.resolved.write_text(json.dumps({"config": config.model_dump(mode="json"), "explained": [], "source": "/x"}))
    with run.events.open("w") as file:
        for step in range(1, steps + 1):
            values = {
                "loss": 4.0 / step**0.3 + rng.random() * 0.1,
                "learning_rate": 2e-4 * (1 - step / steps),
                "grad_norm": rng.random(),
                "tokens_per_second": 200 + rng.random(),
                "tokens": 512.0 * step,
                "memory_bytes": 1.2e9 + rng.randrange(10**6),
            }
            event = MetricEvent.model_construct(
                seq=step, time=TIME, step=step, epoch=step / steps, values=values, eta_seconds=1.0
            )
            file.write(event.model_dump_json() + "\n")
    state = StateFile(
        run_id=run.id,
        name=name,
        state="stopped",
        pid=None,
        started=None,
        created=f"2026-11-{1 + rng.randrange(28):02}T{rng.randrange(24):02}:00:00.000Z",
        updated=TIME,
        base="org/base",
        config_path="/x",
        step=steps,
        total_steps=steps,
    )
    # Not as the worker does, which waits for the disk each time: ten thousand waits are not what is measured.
    (run.path / "state.json").write_text(state.model_dump_json())
    return run


class Rows:
    """The peer with one row a point."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db = sqlite3.connect(path)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute(
            "CREATE TABLE metrics (run TEXT, metric TEXT, step INTEGER, value REAL, PRIMARY KEY (run, metric, step))"
            " WITHOUT ROWID"
        )

    def take(self, run: RunDirectory) -> None:
        """Read a run's events into the table."""
        with self._db:
            self._db.executemany(
                "INSERT INTO metrics VALUES (?, ?, ?, ?)",
                (
                    (run.id, metric, event["step"], value)
                    for event in map(json.loads, run.events.open("rb"))
                    for metric, value in event["values"].items()
                ),
            )

    def picture(self, run: RunDirectory, metrics: tuple[str, ...], first: int, last: int) -> None:
        """Fetch the extremes and ends of each of as many buckets as 500 points tell."""
        width = max((last - first + 1) // (POINTS // 4), 1)
        for metric in metrics:
            self._db.execute(
                "SELECT (step - ?) / ? AS bucket, min(step), max(step), min(value), max(value) FROM metrics"
                " WHERE run = ? AND metric = ? AND step BETWEEN ? AND ? GROUP BY bucket",
                (first, width, run.id, metric, first, last),
            ).fetchall()

    def bytes(self) -> int:
        """Return the size of the table."""
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return self._path.stat().st_size


def read_events(run: RunDirectory, metrics: tuple[str, ...]) -> None:
    """Read a run's measurements as who has no index must."""
    series: dict[str, list[tuple[int, float]]] = {metric: [] for metric in metrics}
    with run.events.open("rb") as file:
        for line in file:
            event = json.loads(line)
            for metric in metrics:
                series[metric].append((event["step"], event["values"][metric]))


def best(work: Callable[[], Any], rounds: int = ROUNDS) -> float:
    """Return the least processor time of a piece of work, in seconds; other work on the machine hardly changes it."""
    took = []
    for _ in range(rounds):
        begun = time.process_time()
        work()
        took.append(time.process_time() - begun)
    return min(took)


@contextmanager
def state_folder() -> Iterator[Path]:
    """Work in a state folder of our own."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PEFTW_HOME"] = folder
        yield Path(folder)


def measure_long_run(points: int, rng: random.Random) -> dict[str, dict[str, float]]:
    """Ask for pictures of one long run."""
    with state_folder() as folder:
        run = lay_out("long", points, rng)
        rows = Rows(folder / "rows.db")
        zoom = (points // 2, points // 2 + points // 100)

        def ask(metrics: tuple[str, ...] = METRICS, first: int = 0, last: int | None = None) -> None:
            params = SeriesParams(run_id=run.id, metrics=list(metrics), points=POINTS, first_step=first, last_step=last)
            found = read_series(params)
            assert all(one.total for one in found) and len(found) == len(metrics)

        anew = {"store": best(ask, 1), "rows": best(lambda: rows.take(run), 1)}
        with sqlite3.connect(STORE.file()) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.close()
        loss = ("loss",)
        return {
            "open a run, one metric": {
                "store": best(lambda: ask(loss)),
                "directories": best(lambda: read_events(run, loss), 1),
                "rows": best(lambda: rows.picture(run, loss, 1, points)),
            },
            "open a run, all metrics": {
                "store": best(ask),
                "directories": best(lambda: read_events(run, METRICS), 1),
                "rows": best(lambda: rows.picture(run, METRICS, 1, points)),
            },
            "zoom into a hundredth": {
                "store": best(lambda: ask(loss, *zoom)),
                "directories": best(lambda: read_events(run, loss), 1),
                "rows": best(lambda: rows.picture(run, loss, *zoom)),
            },
            "read a long run anew": anew,
            "size of a long run (MB)": {
                "store": STORE.file().stat().st_size / 1e6,
                "directories": run.events.stat().st_size / 1e6,
                "rows": rows.bytes() / 1e6,
            },
        }


def measure_many_runs(count: int, rng: random.Random) -> dict[str, dict[str, float]]:
    """Ask for lists of many short runs."""
    with state_folder():
        for number in range(count):
            lay_out(f"short{number % 100}", 20, rng)
        newest, low = RunQuery(limit=100), RunQuery(where=[parse_condition("loss<1.65")], sort="loss", limit=100)

        def read_all() -> None:
            sorted((summarise(run) for run in list_runs()), key=lambda run: run.created)

        def rebuild() -> None:
            STORE.discard()
            find_runs(newest)

        anew = best(rebuild, 1)
        assert find_runs(newest).total == count
        directories = best(read_all, 1)
        return {
            "list the newest 100": {"store": best(lambda: find_runs(newest)), "directories": directories},
            "find by metric": {"store": best(lambda: find_runs(low)), "directories": directories},
            "read all runs anew": {"store": anew, "directories": directories},
        }


def report(results: dict[str, dict[str, float]]) -> None:
    """Print the table."""
    names = ("store", "directories", "rows")
    print(f"{'':28}" + "".join(f"{name:>14}" for name in names) + f"{'store / best peer':>20}")
    for measure, values in results.items():
        unit = "" if "MB" in measure else " ms"
        scale = 1 if "MB" in measure else 1e3
        cells = "".join(f"{values[name] * scale:>11.1f}{unit:3}" if name in values else f"{'':14}" for name in names)
        peers = [value for name, value in values.items() if name != "store"]
        print(f"{measure:28}{cells}{values['store'] / min(peers):>20.4f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=1_000_000, help="steps of the long run")
    parser.add_argument("--runs", type=int, default=10_000, help="how many short runs")
    parser.add_argument("--json", type=Path, help="also write the figures, in seconds and megabytes, to this file")
    options = parser.parse_args()
    rng = random.Random(1)
    results = measure_long_run(options.points, rng)
    report(results)
    many = measure_many_runs(options.runs, rng)
    report(many)
    if options.json:
        options.json.write_text(json.dumps(results | many, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
