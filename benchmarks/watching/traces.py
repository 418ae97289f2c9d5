"""Series of measurements as runs leave them: healthy ones, and the same with a fault planted."""

import math
from collections.abc import Callable
from random import Random

from peft_engine.watching import Measurement

Trace = list[Measurement]
Plant = Callable[[Trace, int, Random], Trace]
"""Puts a fault into a trace, from a place on."""

STEPS = 300


def healthy(noise: Random, unsteady: float) -> Trace:
    """Return a loss that falls to a level, and gradient norms around theirs.

    Args:
        noise: Makes the numbers.
        unsteady: The spread around the trend, as a share of it; heavy-tailed in a third of the traces.
    """
    start, rest, pace = noise.uniform(0.5, 8), noise.uniform(0.02, 0.9), noise.uniform(3, 200)
    norm, memory = noise.uniform(0.1, 5), noise.uniform(0.2, 0.85)
    tails = noise.random() < 1 / 3
    trace = []
    for step in range(1, STEPS + 1):
        trend = start * (rest + (1 - rest) * math.exp(-step / pace))
        spread = unsteady * (noise.gauss(0, 1) / math.sqrt(noise.gammavariate(2, 0.5)) if tails else noise.gauss(0, 1))
        trace.append(
            Measurement(
                step,
                trend * max(1 + spread, 0.01),
                norm * math.exp(noise.gauss(0, 2 * unsteady)),
                memory + noise.gauss(0, 0.005),
            )
        )
    return trace


def _losses(change: Callable[[float, int], float]) -> Plant:
    def plant(trace: Trace, at: int, _: Random) -> Trace:
        changed = [
            Measurement(one.step, change(one.loss or 0.0, one.step - at), one.grad_norm, one.memory_share)
            for one in trace[at:]
        ]
        return [*trace[:at], *changed]

    return plant


def _norms(change: Callable[[float, int], float]) -> Plant:
    def plant(trace: Trace, at: int, _: Random) -> Trace:
        changed = [
            Measurement(one.step, one.loss, change(one.grad_norm or 0.0, one.step - at), one.memory_share)
            for one in trace[at:]
        ]
        return [*trace[:at], *changed]

    return plant


def _memory(trace: Trace, at: int, _: Random) -> Trace:
    """Memory that fills by half a percent a step, from where it is."""
    begin = trace[at].memory_share or 0.0
    ramp = [Measurement(one.step, one.loss, one.grad_norm, begin + 0.005 * (one.step - at)) for one in trace[at:]]
    return [*trace[:at], *ramp]


FAULTS: dict[str, tuple[str, Plant]] = {
    "loss doubles": ("loss-divergence", _losses(lambda loss, _: 2 * loss + 0.5)),
    "loss rises 5 % a step": ("loss-divergence", _losses(lambda loss, since: loss * 1.05**since)),
    "loss rises 0.05 a step": ("loss-divergence", _losses(lambda loss, since: loss + 0.05 * since)),
    "loss to that of chance": ("loss-divergence", _losses(lambda loss, _: max(loss, 11.0))),
    "loss NaN": ("non-finite", _losses(lambda _, __: math.nan)),
    "gradients 30 times": ("gradient-explosion", _norms(lambda norm, _: 30 * norm)),
    "gradients 1.5 times a step": ("gradient-explosion", _norms(lambda norm, since: norm * 1.5**since)),
    "one gradient 1000 times": ("gradient-explosion", _norms(lambda norm, since: 1000 * norm if since == 1 else norm)),
    "gradients NaN": ("non-finite", _norms(lambda _, __: math.nan)),
    "memory fills": ("memory-pressure", _memory),
}
"""By name: the kind of anomaly that must be found, and what plants the fault."""

EARLY: dict[str, tuple[str, Plant]] = {
    "from the start: beyond chance": ("loss-divergence", _losses(lambda loss, _: 16 + loss)),
}
"""Faults that are planted before anything is usual, by name: as in `FAULTS`."""

HARMLESS: dict[str, Plant] = {
    "one bad batch, loss 10 times": _losses(lambda loss, since: 10 * loss if since == 1 else loss),
    "one gradient 20 times": _norms(lambda norm, since: 20 * norm if since == 1 else norm),
    "a plateau": _losses(lambda loss, _: loss),
    "loss falls to a tenth": _losses(lambda loss, _: loss / 10),
}
"""What happens in healthy runs, and is no reason for an alarm."""
