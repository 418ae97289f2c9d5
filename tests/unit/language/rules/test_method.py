"""Methods, against the base's weights, their own settings and the modules of the base."""

import pytest

from peft_daemon.language.context import CheckContext
from peft_engine.facts import HardwareFact, ModelFact
from tests.property.faults import apply
from tests.unit.language.rules.marked import BASE, Case, findings, with_model

GPTQ = CheckContext(model=ModelFact("org/m", prequantized="gptq"))
BNB = CheckContext(model=ModelFact("org/m", prequantized="bitsandbytes"))
LLAMA = CheckContext(
    model=ModelFact(
        "org/m",
        modules=(
            "model.embed_tokens",
            *(f"model.layers.{i}.{name}" for i in range(2) for name in ("self_attn.q_proj", "mlp.up_proj")),
            "lm_head",
        ),
    )
)
NF4 = with_model("quantization: nf4")
FULL = "method:\n  type: full\ntraining:\n  learning_rate: 1.0e-5\n"

CASES = [
    Case("PW301", "QLoRA alone", f"{BASE}method:\n  type: «qlora»\n"),
    Case("PW301", "in 8 bits", with_model("quantization: int8") + "method:\n  type: «qlora»\n", related="int8"),
    Case("PW301", "in 4 bits", f"{NF4}method:\n  type: qlora\n"),
    Case("PW301", "files in 4 bits", f"{BASE}method:\n  type: qlora\n", BNB),
    Case("PW301", "a method that cannot be known", f"{BASE}method:\n  type: qlora\n  tpye: lora\n[\n"),
    Case("PW302", "full in 4 bits", with_model("quantization: «nf4»") + FULL, related="full"),
    Case("PW302", "files in 4 bits", f"{BASE}method:\n  type: «full»\n", GPTQ),
    Case("PW302", "full alone", BASE + FULL),
    Case("PW303", "PiSSA in 8 bits", with_model("quantization: int8") + "method:\n  type: «pissa»\n", related="int8"),
    Case("PW303", "files in 4 bits", f"{BASE}method:\n  type: «pissa»\n", BNB),
    Case("PW303", "LoRA in 8 bits", with_model("quantization: int8") + "method:\n  type: lora\n"),
    Case("PW304", "DoRA on GPTQ", f"{BASE}method:\n  type: «dora»\n", GPTQ),
    Case("PW304", "DoRA on bitsandbytes", f"{BASE}method:\n  type: dora\n", BNB),
    Case("PW304", "LoRA on GPTQ", f"{BASE}method:\n  type: lora\n", GPTQ),
    Case("PW305", "rank beside full", BASE + FULL.replace("full\n", "full\n  «r»: 8\n")),
    Case("PW305", "merge beside full", BASE + FULL + "export:\n  «merge»: true\n"),
    Case("PW305", "rank of the template", f"template: full_finetuning\n{BASE}profile: chatbot\n"),
    Case("PW306", "alpha is twice the rank", f"{BASE}method:\n  type: rslora\n  r: 64\n  alpha: «128»\n", related="64"),
    Case("PW306", "alpha for the root", f"{BASE}method:\n  type: rslora\n  r: 64\n  alpha: 16\n"),
    Case("PW306", "plain LoRA", f"{BASE}method:\n  type: lora\n  r: 64\n  alpha: 128\n"),
    Case("PW307", "alpha far above the rank", f"{BASE}method:\n  r: 4\n  alpha: «256»\n"),
    Case("PW307", "alpha at the bound", f"{BASE}method:\n  r: 4\n  alpha: 32\n"),
    Case(
        "PW308", "LoRA+ beside full", BASE + FULL.replace("full\n", "full\n  lora_plus_ratio: «16»\n"), related="full"
    ),
    Case("PW308", "LoRA+", f"{BASE}method:\n  lora_plus_ratio: 16\n"),
    Case("PW309", "LoRA+ with SGD", f"{BASE}method:\n  lora_plus_ratio: «16»\ntraining:\n  optimizer: sgd\n"),
    Case("PW309", "LoRA+ in 8 bits", f"{BASE}method:\n  lora_plus_ratio: 16\ntraining:\n  optimizer: adamw_8bit\n"),
    Case("PW310", "open bracket", f"{BASE}method:\n  target_modules: «'(q|v'»\n"),
    Case("PW310", "a list without brackets", f"{BASE}method:\n  target_modules: «q_proj, up_proj»\n"),
    Case("PW310", "an expression with a comma", f"{BASE}method:\n  target_modules: 'layers.[0-9]{{1,2}}.q_proj'\n"),
    Case("PW310", "an expression", f"{BASE}method:\n  target_modules: '.*(q|v)_proj'\n"),
    Case("PW311", "one entry", f"{BASE}method:\n  target_modules: [q_proj, «upproj»]\n", LLAMA),
    Case("PW311", "an expression", f"{BASE}method:\n  target_modules: «'.*attention.*'»\n", LLAMA),
    Case("PW311", "an expression of one layer", f"{BASE}method:\n  target_modules: '.*1\\.mlp\\.up_proj'\n", LLAMA),
    Case("PW311", "names and endings", f"{BASE}method:\n  target_modules: [q_proj, mlp.up_proj, lm_head]\n", LLAMA),
    Case("PW311", "all-linear", f"{BASE}method:\n  target_modules: all-linear\n", LLAMA),
    Case("PW311", "unknown base", f"{BASE}method:\n  target_modules: [anything]\n"),
    Case("PW311", "an expression that could run for years", f"{BASE}method:\n  target_modules: '(a*)*b'\n", LLAMA),
    Case("PW312", "empty list", f"{BASE}method:\n  target_modules: «[]»\n"),
    Case("PW312", "one name", f"{BASE}method:\n  target_modules: [q_proj]\n"),
    Case("PW313", "queries and values", f"{BASE}method:\n  target_modules: «[q_proj, v_proj]»\n"),
    Case("PW313", "with an MLP layer", f"{BASE}method:\n  target_modules: [q_proj, up_proj]\n"),
    Case("PW314", "misspelt", f"{BASE}method:\n  modules_to_save: [lm_head, «embed_token»]\n", LLAMA),
    Case("PW314", "norms, of which nothing is known", f"{BASE}method:\n  modules_to_save: [input_layernorm]\n", LLAMA),
    Case("PW314", "a whole block", f"{BASE}method:\n  modules_to_save: [mlp]\n", LLAMA),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_A5_a_method_that_does_not_fit_is_found_where_it_stands(case: Case) -> None:
    case.holds()


def test_a_misspelt_module_gets_the_real_name() -> None:
    (finding,) = findings(f"{BASE}method:\n  target_modules: [q_proj, upproj]\n", LLAMA)
    assert finding.message.endswith("did you mean `up_proj`?")
    assert finding.fixes[0].edits[0].newText == "up_proj"


@pytest.mark.parametrize(
    ("rank", "alpha", "better"),
    [(64, 128, "16"), (32, 128, "22.63"), (16, 256, "8"), (2, 64, "2.83")],
    ids=["as plain LoRA", "as plain LoRA, rounded", "too strong for plain LoRA", "too strong, rounded"],
)
def test_the_strength_of_a_rank_stabilised_adapter_always_has_a_fix(rank: int, alpha: int, better: str) -> None:
    text = f"{BASE}method: {{type: rslora, r: {rank}, alpha: {alpha}}}\n"
    (finding,) = findings(text)
    (fix,) = finding.fixes
    assert fix.edits[0].newText == better
    assert findings(apply(text, fix)) == []


@pytest.mark.parametrize("pattern", ["(a+)+$", "(.*)*x", "(a|b*)+c", ".*.*.*.*.*.*.*x", "a" * 400])
def test_expressions_that_could_run_away_are_not_tried(pattern: str) -> None:
    name = "model." + "a" * 200
    known = CheckContext(model=ModelFact("org/m", modules=(name,)))
    assert findings(f"{BASE}method:\n  target_modules: '{pattern}'\n", known) == []


def test_fixes_do_not_offer_what_the_machine_lacks() -> None:
    without = CheckContext(hardware=HardwareFact("cpu", "cpu", None, 2**34, 2**40, frozenset()))
    (finding,) = findings(f"{BASE}method:\n  type: qlora\n", without)
    assert [fix.title for fix in finding.fixes] == ["Set `method.type` to `lora`"]
