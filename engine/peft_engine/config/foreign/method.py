"""The fine-tuning method, which every tool spreads over several keys."""

import math
from dataclasses import dataclass
from typing import Literal

from peft_engine.config.foreign.convert import texts, truth
from peft_engine.config.foreign.draft import CONTRADICTION, Draft
from peft_engine.config.foreign.source import Leaf

USUAL_TARGETS = ["q_proj", "v_proj"]
"""What PEFT adapts when no modules are named, in Llama and what is built like it."""

_OF_AN_ADAPTER = ("r", "alpha", "dropout", "target_modules", "modules_to_save", "lora_plus_ratio")


@dataclass(frozen=True)
class Adapter:
    """What a foreign config says about its adapter. Every part keeps the leaf that says it."""

    made_of: tuple[Leaf | None, ...] = ()
    """What says that there is one at all."""

    bits: Literal[0, 4, 8] = 0
    bits_from: tuple[Leaf | None, ...] = ()
    packing: Literal["nf4", "fp4"] = "nf4"
    packing_from: Leaf | None = None
    dora: Leaf | None = None
    rslora: Leaf | None = None
    pissa: Leaf | None = None
    start: Leaf | None = None
    """How the adapter's matrices begin, in a word."""


def put_adapter(draft: Draft, adapter: Adapter) -> None:
    """Set the method and the base's quantization."""
    draft.confirm(*adapter.made_of, *adapter.bits_from, adapter.packing_from)
    if adapter.bits:
        packed = adapter.packing if adapter.bits == 4 else "int8"
        source = adapter.packing_from if adapter.bits == 4 else None
        draft.put("model.quantization", packed, *adapter.bits_from, source)
    wanted: list[tuple[str, Leaf]] = []
    if truth(adapter.dora) and adapter.dora is not None:
        wanted.append(("dora", adapter.dora))
    if truth(adapter.pissa) and adapter.pissa is not None:
        wanted.append(("pissa", adapter.pissa))
    if (start := _start(draft, adapter.start)) is not None and adapter.start is not None:
        wanted.append((start, adapter.start))
    draft.confirm(adapter.dora, adapter.rslora, adapter.pissa)
    if wanted:
        _put_type(draft, adapter, wanted)
        if truth(adapter.rslora):
            _scale_as_rslora(draft, adapter.rslora)
    elif truth(adapter.rslora):
        draft.put("method.type", "rslora", *adapter.made_of, adapter.rslora)
    else:
        kind = "qlora" if adapter.bits == 4 else "lora"
        draft.put("method.type", kind, *adapter.made_of, *(adapter.bits_from if adapter.bits == 4 else ()))


def put_full(draft: Draft, *made_of: Leaf | None) -> None:
    """Set full fine-tuning, in which nothing that is said about an adapter has an effect."""
    draft.put("method.type", "full", *made_of)
    for name in _OF_AN_ADAPTER:
        setting = draft.unset(f"method.{name}")
        for leaf in () if setting is None else setting.leaves:
            draft.leave_out(leaf, "It has no effect in full fine-tuning.", "information")


def put_targets(draft: Draft, leaf: Leaf | None, *, commas: bool = False) -> bool:
    """Set the modules from a list, a word for all, or a text; tell whether there were any.

    Args:
        draft: The translation.
        leaf: What names the modules.
        commas: Whether a text is a list with commas to the tool; otherwise it is a regular expression, as here.
    """
    if leaf is None or leaf.value is None or leaf.value == []:
        draft.confirm(leaf)
        return False
    named = texts(leaf.value)
    if named in (["all-linear"], ["all"]):
        draft.put("method.target_modules", "all-linear", leaf)
    elif isinstance(leaf.value, str) and not commas:
        draft.put("method.target_modules", leaf.value, leaf)
    else:
        draft.put("method.target_modules", named, leaf)
    return True


def usual_targets(draft: Draft) -> None:
    """Set what PEFT adapts by itself, and say that this depends on the architecture."""
    draft.put("method.target_modules", USUAL_TARGETS, note=f"what {draft.table.title} leaves to PEFT")
    draft.change(
        None,
        f"No target modules are named. {draft.table.title} then lets PEFT choose by the architecture, which is q_proj "
        "and v_proj for models built like Llama; check that these fit.",
        "warning",
    )


def _put_type(draft: Draft, adapter: Adapter, wanted: list[tuple[str, Leaf]]) -> None:
    kind, leaf = wanted[0]
    draft.put("method.type", kind, *adapter.made_of, leaf)
    for other, other_leaf in wanted[1:]:
        message = f"A method here is one of its kind, so `{other}` beside `{kind}` is left out."
        draft.report(CONTRADICTION, "warning", message, other_leaf)


def _start(draft: Draft, leaf: Leaf | None) -> str | None:
    """Return the method that a way of initialising stands for."""
    if leaf is None:
        return None
    value = leaf.value if isinstance(leaf.value, bool) else str(leaf.value or "").strip().lower()
    if value in ("", True, "true", "default", "kaiming"):
        draft.confirm(leaf)
        return None
    if str(value).startswith("pissa"):
        if value != "pissa":
            draft.change(leaf, "PiSSA here computes the exact decomposition; the number of iterations is not needed.")
        return "pissa"
    draft.leave_out(leaf, f"There is no initialisation `{leaf.value}` here; the adapter starts as in plain LoRA.")
    return None


def _scale_as_rslora(draft: Draft, leaf: Leaf | None) -> None:
    """Give another method rsLoRA's scale: alpha / sqrt(r) is (alpha * sqrt(r)) / r."""
    rank, alpha = draft.set_value("method.r"), draft.set_value("method.alpha")
    leaves = [draft.settings[path].leaves for path in ("method.alpha", "method.r") if path in draft.settings]
    draft.unset("method.alpha")
    scaled = round(alpha * math.sqrt(rank), 6)
    draft.put("method.alpha", scaled, *(leaves[0] if leaves else ()), leaf, note="alpha × sqrt(r): the scale of rsLoRA")
    draft.change(leaf, f"The method has no rank-stabilised form, so alpha became {scaled}, which gives the same scale.")
