"""Memory and disk: what surely does not fit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peft_daemon.language.context import CheckContext
from peft_engine.config.schema import key_at
from peft_engine.facts import HardwareFact, ModelFact
from tests.property.strategies import examples
from tests.unit.language.rules.marked import BASE, Case, findings, with_model

GIB = 2**30
BILLION = 10**9
FULL = "method:\n  type: full\ntraining:\n  learning_rate: 1.0e-5\n"


def facts(memory: float, parameters: int | None = 7 * BILLION, disk: float = 10_000, **model) -> CheckContext:
    return CheckContext(
        hardware=HardwareFact("cuda", "the device", (8, 6), int(memory * GIB), int(disk * GIB)),
        model=ModelFact("org/m", parameters=parameters, **model),
    )


AT_BASE = BASE.replace("org/m", "«org/m»")

CASES = [
    Case("PW810", "weights alone", AT_BASE, facts(13)),
    Case("PW810", "weights just fit", BASE, facts(13.1)),
    Case("PW810", "float32", with_model("dtype: float32").replace("org/m", "«org/m»"), facts(26)),
    Case("PW810", "in 4 bits", with_model("quantization: nf4"), facts(4)),
    Case("PW810", "too small for 4 bits", with_model("quantization: nf4").replace("org/m", "«org/m»"), facts(3)),
    Case("PW810", "every weight trained", AT_BASE + FULL, facts(52)),
    Case("PW810", "every weight trained, with room", BASE + FULL, facts(53)),
    Case("PW810", "size not known", BASE, facts(1, None)),
    Case("PW810", "packed files", BASE, facts(1, prequantized="gptq")),
    Case("PW810", "another device", f"{BASE}compute: {{device: cpu}}\n", facts(1)),
    Case("PW811", "checkpoints", f"{BASE}{FULL}checkpoint: {{keep: «3»}}\n", facts(900, disk=100)),
    Case("PW811", "checkpoints with room", f"{BASE}{FULL}checkpoint: {{keep: 2}}\n", facts(900, disk=100)),
    Case("PW811", "merged", f"{BASE}export: {{merge: «true»}}\n", facts(900, disk=13)),
    Case("PW811", "adapters are small", f"{BASE}checkpoint: {{keep: 1000}}\n", facts(900, disk=1)),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_A9_what_cannot_fit_is_found(case: Case) -> None:
    case.holds()


def choices(path: str) -> st.SearchStrategy[str]:
    key = key_at(tuple(path.split(".")))
    assert key is not None
    return st.sampled_from([str(choice) for choice in key.choices])


@st.composite
def runs(draw: st.DrawFn) -> str:
    quantization, dtype = draw(choices("model.quantization")), draw(choices("model.dtype"))
    method, optimizer = draw(choices("method.type")), draw(choices("training.optimizer"))
    text = with_model(f"quantization: {quantization}", f"dtype: {dtype}")
    return f"{text}method: {{type: {method}}}\ntraining: {{optimizer: {optimizer}}}\n"


@examples(60)
@given(runs(), st.integers(10**6, 10**12), st.lists(st.floats(0.1, 2000), min_size=2, max_size=5))
def test_A9_the_more_memory_the_fewer_warnings(text: str, parameters: int, sizes: list[float]) -> None:
    worlds = [facts(memory, parameters) for memory in sorted(sizes)]
    said = [any(finding.code == "PW810" for finding in findings(text, world)) for world in worlds]
    assert said == sorted(said, reverse=True)


@examples(60)
@given(runs(), st.integers(10**6, 10**12), st.floats(0.1, 2000))
def test_A9_the_warning_states_what_there_is_and_is_a_lower_bound(text: str, parameters: int, memory: float) -> None:
    for finding in findings(text, facts(memory, parameters)):
        if finding.code == "PW810":
            assert f"has {int(memory * GIB) / GIB:.1f} GiB" in finding.message
            # The most that weights, gradients and Adam's states can take, all in float32.
            assert memory * GIB < 16 * parameters
