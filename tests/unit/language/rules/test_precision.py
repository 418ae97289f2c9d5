"""Quantization, number types and attention, against each other and against the machine."""

import pytest

from peft_daemon.language.context import NOTHING_KNOWN, CheckContext
from peft_engine.facts import HardwareFact, ModelFact
from tests.unit.language.rules.marked import BASE, Case, findings, with_model

GIB = 2**30
AWQ = CheckContext(model=ModelFact("org/m", prequantized="awq"))


def machine(kind="cuda", capability=None, memory=80, disk=500, packages=None) -> HardwareFact:
    return HardwareFact(kind, "the device", capability, memory * GIB, disk * GIB, packages)


def on(**facts) -> CheckContext:
    return CheckContext(hardware=machine(**facts))


T4, A100, H100 = on(capability=(7, 5)), on(capability=(8, 0)), on(capability=(9, 0))
CPU, BARE = on(kind="cpu"), on(kind="cpu", packages=frozenset())
FULL = "method:\n  type: full\ntraining:\n  learning_rate: 1.0e-5\n"
DORA, PLAIN_DORA = "method:\n  type: «dora»\n", "method:\n  type: dora\n"
PACKED = "training:\n  packing: true\n"

CASES = [
    Case("PW330", "full in float16", with_model("dtype: «float16»") + FULL, related="full"),
    Case(
        "PW330", "where auto would be too wide", with_model("dtype: «float16»", "attention: flash_attention_2") + FULL
    ),
    Case("PW330", "saved modules", with_model("dtype: «float16»") + "method:\n  modules_to_save: [lm_head]\n"),
    Case("PW330", "LoRA on float16", with_model("dtype: float16")),
    Case("PW331", "both 16 bits", with_model("dtype: bfloat16") + "training:\n  precision: «float16»\n"),
    Case("PW331", "float32", with_model("dtype: float16") + "training:\n  precision: «float32»\n", related="float16"),
    Case("PW331", "on exact weights", with_model("dtype: float32") + "training:\n  precision: bfloat16\n"),
    Case("PW331", "on weights that follow", BASE + "training:\n  precision: float32\n"),
    Case("PW331", "the same type", with_model("dtype: bfloat16") + "training:\n  precision: bfloat16\n"),
    Case("PW332", "nothing quantized", with_model("«double_quantization»: true")),
    Case("PW332", "in 4 bits", with_model("quantization: fp4", "double_quantization: true")),
    Case("PW332", "off", with_model("double_quantization: false")),
    Case("PW333", "AWQ again", with_model("quantization: «int8»"), AWQ),
    Case("PW333", "AWQ as it is", BASE, AWQ),
    Case("PW334", "merge of QLoRA", with_model("quantization: int8") + "export:\n  merge: «true»\n", related="int8"),
    Case("PW334", "merge of LoRA", f"{BASE}export:\n  merge: true\n"),
    Case("PW335", "dtype", with_model("dtype: float32", "attention: «flash_attention_2»"), related="float32"),
    Case(
        "PW335",
        "precision",
        with_model("attention: «flash_attention_2»", "dtype: bfloat16") + "training: {precision: float32}\n",
    ),
    Case(
        "PW335",
        "full, which computes in float32",
        with_model("attention: «flash_attention_2»") + FULL,
        related="full",
    ),
    Case("PW335", "full in bfloat16", with_model("dtype: bfloat16", "attention: flash_attention_2") + FULL),
    Case("PW335", "bfloat16", with_model("dtype: bfloat16", "attention: flash_attention_2")),
    Case("PW801", "no CUDA", f"{BASE}compute:\n  device: «cuda»\n", CPU),
    Case("PW801", "no MPS", f"{BASE}compute:\n  device: «mps»\n", A100),
    Case("PW801", "the CPU is always there", f"{BASE}compute:\n  device: cpu\n", A100),
    Case("PW801", "unknown machine", f"{BASE}compute:\n  device: cuda\n"),
    Case("PW802", "weights", with_model("dtype: «bfloat16»"), T4),
    Case("PW802", "computing", f"{BASE}training:\n  precision: «bfloat16»\n", T4),
    Case("PW802", "Ampere", with_model("dtype: bfloat16"), A100),
    Case("PW802", "on the CPU beside it", with_model("dtype: bfloat16") + "compute: {device: cpu}\n", T4),
    Case("PW802", "a CPU", with_model("dtype: bfloat16"), CPU),
    Case("PW803", "a CPU", with_model("attention: «flash_attention_2»"), CPU),
    Case(
        "PW803",
        "a CPU by choice",
        with_model("attention: «flash_attention_2»") + "compute: {device: cpu}\n",
        related="cpu}",
    ),
    Case("PW803", "Turing", with_model("attention: «flash_attention_2»"), T4),
    Case(
        "PW803",
        "not installed",
        with_model("attention: «flash_attention_2»"),
        on(capability=(8, 0), packages=frozenset({"bitsandbytes"})),
    ),
    Case("PW803", "unknown machine", with_model("attention: flash_attention_2")),
    Case(
        "PW803",
        "installed",
        with_model("attention: flash_attention_2"),
        on(capability=(8, 6), packages=frozenset({"flash_attn"})),
    ),
    Case("PW804", "float32 on a GPU", with_model("dtype: «float32»"), A100),
    Case("PW804", "computing in float32", f"{BASE}training: {{precision: «float32»}}\n", A100),
    Case("PW804", "float32 weights alone", with_model("dtype: float32") + "training: {precision: bfloat16}\n", A100),
    Case("PW804", "float32 on a CPU", with_model("dtype: float32"), CPU),
    Case("PW805", "A100", with_model("dtype: bfloat16", "attention: «sdpa»") + PACKED, A100, related="true"),
    Case("PW805", "H100", with_model("dtype: bfloat16", "attention: sdpa") + PACKED, H100),
    Case("PW805", "not packed", with_model("dtype: bfloat16", "attention: sdpa"), A100),
    Case("PW806", "quantization", with_model("quantization: «nf4»"), BARE),
    Case("PW806", "optimizer", f"{BASE}training:\n  optimizer: «paged_adamw_8bit»\n", BARE),
    Case("PW806", "installed", with_model("quantization: nf4"), on(packages=frozenset({"bitsandbytes"}))),
    Case("PW806", "not asked", with_model("quantization: nf4"), A100),
    Case("PW807", "weights", with_model("dtype: «float16»"), CPU),
    Case("PW807", "by choice", f"{BASE}training: {{precision: «float16»}}\ncompute: {{device: cpu}}\n", related="cpu"),
    Case("PW807", "on a GPU", with_model("dtype: float16"), A100),
    Case("PW807", "on Apple's", f"{BASE}training: {{precision: «bfloat16»}}\n", on(kind="mps")),
    Case("PW807", "bfloat16 on a CPU", f"{BASE}training: {{precision: bfloat16}}\n", CPU),
    Case("PW807", "unknown machine", f"{BASE}training: {{precision: float16}}\n"),
    Case("PW808", "DoRA in 8 bits", with_model("quantization: int8") + DORA, CPU, related="int8"),
    Case("PW808", "by choice", with_model("quantization: int8") + DORA + "compute: {device: cpu}\n", related="cpu"),
    Case("PW808", "in 4 bits", with_model("quantization: nf4") + PLAIN_DORA, CPU),
    Case("PW808", "on a GPU", with_model("quantization: int8") + PLAIN_DORA, A100),
    Case("PW808", "unknown machine", with_model("quantization: int8") + PLAIN_DORA),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_A6_numbers_that_do_not_fit_each_other_or_the_machine_are_found(case: Case) -> None:
    case.holds()


@pytest.mark.parametrize(
    ("training", "known", "severity"),
    [
        ("", NOTHING_KNOWN, "warning"),
        ("", CPU, "warning"),
        ("", A100, "error"),
        ("training: {precision: float16}\n", NOTHING_KNOWN, "error"),
    ],
)
def test_float16_weights_that_learn_are_an_error_where_the_loss_is_scaled(training, known, severity) -> None:
    text = with_model("dtype: float16") + "method: {modules_to_save: [lm_head]}\n" + training
    assert [finding.severity for finding in findings(text, known) if finding.code == "PW330"] == [severity]
