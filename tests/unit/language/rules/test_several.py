"""Several processes against the machine, the quantization and each other."""

import pytest

from peft_daemon.language.context import CheckContext
from peft_engine.facts import HardwareFact
from tests.unit.language.rules.marked import BASE, Case, with_model

GIB = 2**30


def on(kind: str, devices: int | None = None) -> CheckContext:
    return CheckContext(hardware=HardwareFact(kind, "it", (9, 0), 80 * GIB, 500 * GIB, devices=devices))


FOUR = f"{BASE}compute:\n  processes: «4»\n"
PLAIN_FOUR = FOUR.replace("«4»", "4")
SPREAD = "compute:\n  strategy: «fsdp»\n  processes: 2\n"

CASES = [
    Case("PW830", "more than GPUs", FOUR, on("cuda", 2)),
    Case("PW830", "on Apple's", FOUR, on("mps", 1)),
    Case("PW830", "one GPU, to be spread", f"{FOUR}  strategy: fsdp\n", on("cuda", 1)),
    Case("PW830", "as many as GPUs", PLAIN_FOUR, on("cuda", 4)),
    Case("PW830", "GPUs not counted", PLAIN_FOUR, on("cuda")),
    Case("PW830", "on the CPU of a machine with a GPU", f"{PLAIN_FOUR}  device: cpu\n", on("cuda", 1)),
    Case("PW801", "of several processes", f"{PLAIN_FOUR}  device: «cuda»\n", on("cpu")),
    Case("PW801", "of more processes than there are GPUs", f"{PLAIN_FOUR}  device: «mps»\n", on("cuda", 2)),
    Case("PW801", "of as many processes as GPUs", f"{PLAIN_FOUR}  device: «mps»\n", on("cuda", 4)),
    Case("PW801", "of spread processes", f"{PLAIN_FOUR}  strategy: fsdp\n  device: «cuda»\n", on("cpu")),
    Case("PW831", "on a CPU", FOUR, on("cpu")),
    Case("PW831", "by choice", f"{FOUR}  device: cpu\n", related="cpu"),
    Case("PW831", "one process", f"{BASE}compute:\n  processes: 1\n", on("cpu")),
    Case("PW831", "on GPUs", PLAIN_FOUR, on("cuda", 4)),
    Case("PW831", "unknown machine", PLAIN_FOUR),
    Case("PW832", "in 4 bits", with_model("quantization: nf4") + SPREAD, related="nf4"),
    Case("PW832", "in 8 bits", with_model("quantization: int8") + SPREAD, related="int8"),
    Case(
        "PW832", "one process, for torchrun", with_model("quantization: nf4") + SPREAD.replace("2", "1"), related="nf4"
    ),
    Case("PW832", "each with a whole base", with_model("quantization: nf4") + SPREAD.replace("«fsdp»", "ddp")),
    Case("PW832", "not packed", BASE + SPREAD.replace("«fsdp»", "fsdp")),
    Case("PW834", "8-bit state", f"{BASE}training:\n  optimizer: adamw_8bit\n{SPREAD}", related="adamw_8bit"),
    Case("PW834", "paged", f"{BASE}training:\n  optimizer: paged_adamw_8bit\n{SPREAD}", related="paged_adamw_8bit"),
    Case("PW834", "Adafactor", f"{BASE}training:\n  optimizer: adafactor\n{SPREAD}", related="adafactor"),
    Case("PW834", "AdamW", f"{BASE}training:\n  optimizer: adamw\n{SPREAD}".replace("«fsdp»", "fsdp")),
    Case("PW834", "whole", f"{BASE}training:\n  optimizer: adafactor\n{SPREAD}".replace("«fsdp»", "ddp")),
    Case("PW834", "one process", f"{BASE}training:\n  optimizer: adafactor\ncompute:\n  strategy: fsdp\n"),
    Case("PW833", "one process", BASE + SPREAD.replace("2", "1")),
    Case("PW833", "two processes", BASE + SPREAD.replace("«fsdp»", "fsdp")),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_A6_several_processes_that_do_not_fit_are_found(case: Case) -> None:
    case.holds()
