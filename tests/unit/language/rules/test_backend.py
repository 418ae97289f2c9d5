"""What Unsloth does not have, beside a config that asks for it."""

import pytest

from peft_daemon.language.context import CheckContext
from peft_engine.facts import HardwareFact
from tests.unit.language.rules.marked import BASE, Case, with_model

GIB = 2**30
UNSLOTH = "compute:\n  backend: «unsloth»\n"
PLAIN = "compute:\n  backend: unsloth\n"


def on(kind: str) -> CheckContext:
    return CheckContext(hardware=HardwareFact(kind, "it", (9, 0), 80 * GIB, 500 * GIB))


CASES = [
    Case("PW905", "DoRA", f"{BASE}method:\n  type: dora\n{UNSLOTH}", related="dora"),
    Case("PW905", "PiSSA", f"{BASE}method:\n  type: pissa\n{UNSLOTH}", related="pissa"),
    Case("PW905", "8 bits", with_model("quantization: int8") + UNSLOTH, related="int8"),
    Case(
        "PW905",
        "plain scales",
        with_model("quantization: nf4", "double_quantization: false") + UNSLOTH,
        related="false",
    ),
    Case("PW905", "whole modules", f"{BASE}method:\n  modules_to_save: [lm_head]\n{UNSLOTH}", related="[lm_head]"),
    Case("PW905", "8-bit AdamW on a CPU", f"{BASE}training:\n  optimizer: adamw_8bit\n{UNSLOTH}", on("cpu")),
    Case("PW905", "attention of one's own on a GPU", with_model("attention: eager") + UNSLOTH, on("cuda")),
    Case("PW905", "several processes", f"{BASE}{UNSLOTH}  processes: 2\n", related="2"),
    Case("PW905", "Apple's GPU", f"{BASE}{UNSLOTH}", on("mps")),
    Case("PW905", "LoRA", BASE + PLAIN, on("cpu")),
    Case("PW905", "QLoRA", with_model("quantization: nf4") + "method:\n  type: qlora\n" + PLAIN, on("cuda")),
    Case("PW905", "8-bit AdamW on a GPU", f"{BASE}training:\n  optimizer: adamw_8bit\n{PLAIN}", on("cuda")),
    Case("PW905", "DoRA with a backend to be chosen", f"{BASE}method:\n  type: dora\ncompute:\n  backend: auto\n"),
    Case("PW905", "unknown machine", f"{BASE}training:\n  optimizer: adamw_8bit\n{PLAIN}"),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_F1_what_unsloth_does_not_train_is_found_before_a_run(case: Case) -> None:
    case.holds()
