"""Tells whether a benchmark's ratios have become worse than those stored in `benchmarks/baselines`.

python benchmarks/regression.py FIGURES.json benchmarks/baselines/lsp.json
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.ratios import read_ratios

TOLERANCE = 2.0
"""How many times its baseline a ratio may be. The machine's other work was seen to change one by 1.9 times."""


def main() -> int:
    """Print one line a figure; exit with 1 when one is worse than it may be, or is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figures", type=Path, help="what a benchmark wrote with --json")
    parser.add_argument("baseline", type=Path, help="the stored figures of the same benchmark")
    options = parser.parse_args()
    now, before = read_ratios(options.figures), read_ratios(options.baseline)
    worse = 0
    print(f"{'':48}{'baseline':>10}{'now':>10}")
    for name, stored in before.items():
        measured = now.get(name)
        is_worse = measured is None or measured.value > TOLERANCE * stored.value
        worse += is_worse
        value = "missing" if measured is None else f"{measured.value:.3f}"
        print(f"{name:48}{stored.value:>10.3f}{value:>10}{'  worse' if is_worse else ''}")
    print(
        f"\n{worse} of {len(before)} are more than {TOLERANCE} times their baseline." if worse else "\nNone is worse."
    )
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
