"""Report how many planted faults are found, how exactly, and what their fixes do.

python benchmarks/findings/run.py [--count 40] [--seed 0] [--kind typo] [--json]
"""

import argparse
import json
import sys
from collections import Counter, defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.findings.judging import Verdict, judge
from benchmarks.findings.kinds import KINDS
from benchmarks.findings.planting import plant
from benchmarks.findings.sheet import CannotPlantError

COLUMNS = ("planted", "found", "exact", "alone", "fixes", "removes", "adds-none", "comments", "values")


def main() -> None:
    """Plant, judge and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--count", type=int, default=40, help="faults of each kind")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--kind", action="append", help="only this kind; can be given several times")
    options.add_argument("--json", action="store_true")
    options.add_argument("--failures", type=int, default=3, help="failures shown of each kind")
    chosen = options.parse_args()
    rows: dict[str, Counter[str]] = {}
    failures: dict[str, list[dict[str, object]]] = defaultdict(list)
    for kind in chosen.kind or KINDS:
        rows[kind] = Counter()
        for seed in range(chosen.seed, chosen.seed + chosen.count):
            try:
                fault, good = plant(kind, seed)
            except CannotPlantError:
                rows[kind]["not planted"] += 1
                continue
            verdict = judge(fault, good)
            rows[kind] += score(verdict)
            rows[kind]["planted"] += 1
            if complaints := verdict.complaints():
                failures[kind].append({"seed": seed, "complaints": complaints, "text": fault.text})
    total = sum(rows.values(), Counter())
    if chosen.json:
        print(json.dumps({"kinds": rows, "total": total, "failures": failures}, indent=2, ensure_ascii=False))
        return
    print(f"{'kind':44}" + "".join(f"{name:>10}" for name in COLUMNS))
    for kind, row in [*rows.items(), ("TOTAL", total)]:
        print(f"{kind:44}" + "".join(f"{row[name]:>10}" for name in COLUMNS))
    for kind, failed in failures.items():
        print(f"\n{kind}: {len(failed)} not as planted")
        for one in failed[: chosen.failures]:
            print(f"  seed {one['seed']}:", *one["complaints"], sep="\n    ")  # type: ignore[misc]


def score(verdict: Verdict) -> Counter[str]:
    """Return what counts for a fault: each column is compared with `planted` or with `fixes`."""
    tried = verdict.fixes > 0
    return Counter(
        {
            "found": not verdict.missed,
            "exact": not (verdict.missed or verdict.misplaced),
            "alone": not (verdict.missed or verdict.extra),
            "fixes": tried,
            "removes": tried and not verdict.keeps_finding,
            "adds-none": tried and not verdict.adds_finding,
            "comments": tried and not verdict.loses_comment,
            "values": tried and not verdict.changes_value,
        }
    )


if __name__ == "__main__":
    main()
