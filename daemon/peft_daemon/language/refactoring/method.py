"""Switching the fine-tuning method, with the keys that go with it."""

import math
from collections.abc import Callable, Iterator

from peft_daemon.language.refactoring.offer import Refactoring, revising
from peft_daemon.language.revision import Revision
from peft_engine.bounds import bounds
from peft_engine.capabilities import TRAINABLE_METHODS, TRAINABLE_QUANTIZATIONS
from peft_engine.config.schema import key_at, section_at

_KIND = "refactor.rewrite.peft.method"
_FOUR_BIT = ("nf4", "fp4")
_LEARNING_RATE = "training.learning_rate"


def switches(revision: Revision) -> Iterator[Refactoring]:
    """Yield a switch to every other method that this version trains."""
    present = revision.value("method.type")
    if present is None:
        return
    for method in TRAINABLE_METHODS:
        if method == present or (method == "qlora" and not set(_FOUR_BIT) & set(TRAINABLE_QUANTIZATIONS)):
            continue
        effects = _effects(revision, present, method)
        title = f"Switch to `{method}`" + (f": {', '.join(effects)}" if effects else "")
        yield Refactoring(f"method.{method}", title, _KIND, revising(revision, _switch(present, method)))


def _effects(revision: Revision, present: str, method: str) -> list[str]:
    """Say what changes beside the method."""
    effects = []
    quantization = revision.value("model.quantization")
    wanted = _quantization(present, method, quantization)
    if wanted != quantization:
        effects.append(f"quantization {wanted}")
    if method == "full" and _adapter_keys(revision):
        effects.append("the adapter's keys go")
    if (rate := _learning_rate(revision, present, method)) is not None:
        effects.append(f"learning rate {rate:g}")
    if (alpha := _alpha(revision, present, method)) is not None:
        effects.append(f"alpha {alpha:g}, which keeps the adapter's strength")
    return effects


def _switch(present: str, method: str) -> Callable[[Revision], Revision]:
    def revise(revision: Revision) -> Revision:
        quantization = _quantization(present, method, revision.value("model.quantization"))
        rate = _learning_rate(revision, present, method)
        alpha = _alpha(revision, present, method)
        if method == "full":
            for key in _adapter_keys(revision):
                revision = revision.without(f"method.{key}")
        revision = revision.with_value("method.type", method)
        if quantization is not None:
            revision = revision.with_value("model.quantization", quantization)
        if rate is not None:
            revision = revision.with_value(_LEARNING_RATE, rate)
        return revision if alpha is None else revision.with_value("method.alpha", alpha)

    return revise


def _quantization(present: str, method: str, quantization: str | None) -> str | None:
    """Return how the base is packed under a method: QLoRA means 4 bits, and some methods need whole weights."""
    if method == "qlora":
        return quantization if quantization in _FOUR_BIT else "nf4"
    if method in ("full", "pissa") or (method == "lora" and present == "qlora"):
        return "none"
    return quantization


def _learning_rate(revision: Revision, present: str, method: str) -> float | None:
    """Return the rate to write: an adapter wants about ten times that of full fine-tuning. None to leave it."""
    rate = revision.value(_LEARNING_RATE)
    if rate is None or (present == "full") == (method == "full"):
        return None
    rates = bounds().learning_rates
    usual = rates.full.typical if method == "full" else rates.adapter.typical
    beyond = rate > usual if method == "full" else rate < usual
    return usual if beyond else None


def _alpha(revision: Revision, present: str, method: str) -> float | None:
    """Return the alpha that keeps the update's scale: `alpha / r`, under rsLoRA `alpha / sqrt(r)`. None to leave it."""
    alpha, rank = revision.value("method.alpha"), revision.value("method.r")
    if alpha is None or not rank or "full" in (present, method) or (present == "rslora") == (method == "rslora"):
        return None
    scaled = alpha / math.sqrt(rank) if method == "rslora" else alpha * math.sqrt(rank)
    key = key_at(("method", "alpha"))
    # Nothing is offered that the language refuses: a strength beyond its bounds is left for the user to settle.
    return round(scaled, 4) if key is not None and key.bounds.contain(round(scaled, 4)) else None


def _adapter_keys(revision: Revision) -> list[str]:
    """Return the written keys of `method` that mean nothing without an adapter."""
    section, binding = section_at(("method",)), revision.subject.binding
    names = () if section is None else section.keys
    return [name for name in names if name != "type" and binding.at(("method", name)) is not None]
