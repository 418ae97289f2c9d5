"""Faults that only show when something is known of files, models, data or the machine."""

from dataclasses import replace
from datetime import date
from pathlib import Path

from benchmarks.findings.combinations import Combination
from benchmarks.findings.faults import planter
from benchmarks.findings.semantic import EVALUATING, FULL, LAYERS, NOT_FULL, WARMING

from peft_daemon.language.context import CheckContext, DatasetFact, FileFact, HardwareFact, ModelFact, TemplateFact
from peft_engine.facts import FlawKind, ModelFlaw

DATA = "data/planted.jsonl"
GIB = 2**30
MODULES = tuple(
    f"model.layers.{layer}.{part}"
    for layer in range(2)
    for part in (
        *("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj"),
        *("mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"),
    )
)
LINEAR = frozenset(name.rpartition(".")[2] for name in MODULES)
FLAWS: dict[str, FlawKind] = {
    "PW708": "model-incomplete",
    "PW709": "model-truncated",
    "PW710": "model-damaged",
    "PW711": "model-dtype-wrong",
    "PW712": "model-tokenizer-missing",
}
LLAMA = ModelFact("org/llama", model_type="llama", modules=(*MODULES, "model.embed_tokens", "lm_head"), linear=LINEAR)
HUGE = ModelFact("org/huge", parameters=7_000_000_000, weight_bytes=14_000_000_000)


def about_data(**fact: object) -> CheckContext:
    """Return what is known when the planted dataset was read."""
    known = {"records": 1000, "format": "messages", "columns": ("messages",), **fact}
    return CheckContext(files={DATA: FileFact("present")}, datasets={DATA: DatasetFact(**known)})  # type: ignore[arg-type]


def about_file(state: str, *alternatives: str, path: str = DATA) -> CheckContext:
    """Return what is known when the planted file was looked for."""
    return CheckContext(files={path: FileFact(state, alternatives)})  # type: ignore[arg-type]


def about_model(**fact: object) -> CheckContext:
    """Return what is known when the model's files were read."""
    return CheckContext(model=ModelFact("org/model", **fact))  # type: ignore[arg-type]


def on(kind: str, capability: tuple[int, int] | None = None, *packages: str, memory: int = 80) -> CheckContext:
    """Return what is known of a machine."""
    name = {"cuda": "a GPU", "mps": "a Mac", "cpu": "a processor"}[kind]
    hardware = HardwareFact(kind, name, capability, memory * GIB, 1000 * GIB, frozenset(packages))  # type: ignore[arg-type]
    return CheckContext(hardware=hardware)


ONE_DATASET = {"datasets": f"[{{path: {DATA}}}]"}
PLAIN_LORA = {"method.type": "lora", "model.quantization": "none", "training.optimizer": "adamw"}
TYPES = "model.dtype training.precision model.attention model.double_quantization export method.modules_to_save"

COMBINATIONS = {
    "more-processes-than-gpus": Combination(
        "PW830",
        {"compute.processes": "4|8"},
        context=CheckContext(hardware=HardwareFact("cuda", "a GPU", (9, 0), 800 * GIB, 1000 * GIB, devices=2)),
        without=f"compute.device compute.strategy {TYPES} {LAYERS} training.optimizer model.quantization method",
    ),
    "preset-that-is-not-there": Combination(
        "PW113",
        {"preset": "carefull"},
        context=CheckContext(folder=Path("work"), preset_names=("careful", "bold")),
        without="preset",
    ),
    "preset-that-cannot-be-used": Combination(
        "PW114",
        {"preset": "careful"},
        context=CheckContext(
            folder=Path("work"), preset_names=("careful", "bold"), preset_fault="The preset careful cannot be used."
        ),
        without="preset",
        has_fix=False,
    ),
    "dora-of-a-gptq-base": Combination(
        "PW304",
        {"method.type": "dora"},
        at="method.type model.base",
        without="model.quantization model.double_quantization export",
        context=about_model(prequantized="gptq"),
    ),
    "quantizing-twice": Combination(
        "PW333",
        {"model.quantization": "nf4|int8", "method.type": "lora"},
        at="model.quantization model.base",
        without="export",
        context=about_model(prequantized="awq"),
    ),
    "target-that-is-not-there": Combination(
        "PW311",
        {"method.target_modules": "[q_proj, upproj]|[down_proj, gateproj]", "method.type": "lora"},
        at="method.target_modules.1",
        context=CheckContext(model=LLAMA),
    ),
    "expression-that-matches-nothing": Combination(
        "PW311",
        {"method.target_modules": "'.*\\.c_attn'|query_key_value", "method.type": "lora"},
        context=CheckContext(model=LLAMA),
        has_fix=False,
    ),
    "saved-module-that-is-not-there": Combination(
        "PW314",
        {"method.modules_to_save": "[lm_head, embed_token]", "method.type": "lora"},
        at="method.modules_to_save.1",
        without="model.dtype training.precision",
        context=CheckContext(model=LLAMA),
    ),
    "tracker-that-is-not-there": Combination(
        "PW844",
        {"tracker.url": "http://127.0.0.1:5001", "tracker.type": "mlflow"},
        at="tracker.url",
        context=CheckContext(trackers={"http://127.0.0.1:5001": False}),
        has_fix=False,
    ),
    "rows-longer-than-the-data": Combination(
        "PW505",
        {"training.max_length": "8192|16384", **ONE_DATASET},
        without=f"datasets training.packing {EVALUATING}",
        context=about_data(tokens_p50=100, tokens_p99=300),
    ),
    "start-in-the-past": Combination(
        "PW422",
        {"schedule.not_before": "2025-12-24T22:00|1999-01-01T00:00"},
        context=CheckContext(today=date(2026, 11, 22)),
    ),
    "missing-data": Combination("PW601", {"datasets.0.path": DATA}, context=about_file("missing", "data/plante.jsonl")),
    "missing-data-and-nothing-near": Combination(
        "PW601", {"datasets.0.path": DATA}, context=about_file("missing"), has_fix=False
    ),
    "empty-data": Combination("PW602", {"datasets.0.path": DATA}, context=about_file("empty"), has_fix=False),
    "folder-as-data": Combination("PW602", {"datasets.0.path": DATA}, context=about_file("folder"), has_fix=False),
    "unreadable-data": Combination(
        "PW602 PW601 PW603", {"datasets.0.path": DATA}, context=about_file("unreadable"), has_fix=False
    ),
    "bad-record": Combination(
        "PW603",
        {"datasets.0.path": DATA},
        context=about_data(problem="Line 3 is no JSON.", problem_line=3, records=None),
        has_fix=False,
        without="datasets.0.format datasets.0.columns datasets.0.split",
    ),
    "column-that-is-not-there": Combination(
        "PW604",
        {"datasets.0.columns.prompt": "quesion", "datasets.0.path": DATA, "datasets.0.format": "prompt-completion"},
        at="datasets.0.columns.prompt",
        without="datasets.0.columns datasets.0.split",
        context=about_data(format="prompt-completion", columns=("question", "completion")),
    ),
    "other-format": Combination(
        "PW605",
        {"datasets.0.format": "messages|sharegpt", "datasets.0.path": DATA},
        without="datasets.0.columns datasets.0.split",
        context=about_data(format="alpaca", columns=("instruction", "input", "output")),
    ),
    "unknown-format": Combination(
        "PW605",
        {"datasets.0.path": DATA},
        without="datasets.0.columns datasets.0.format datasets.0.split",
        context=about_data(format=None, columns=("a", "b")),
        has_fix=False,
    ),
    "copies": Combination(
        "PW606",
        {"datasets.0.path": DATA},
        without="datasets.0.columns datasets.0.format datasets.0.split",
        context=about_data(duplicates=12),
        has_fix=False,
    ),
    "split-beyond-the-records": Combination(
        "PW607",
        {"datasets.0.split": "'[2000:3000]'", "datasets.0.path": DATA},
        without="datasets.0.columns datasets.0.format",
        context=about_data(),
        has_fix=False,
    ),
    "less-than-one-step": Combination(
        "PW608",
        {"training.gradient_accumulation_steps": "4|8", "training.batch_size": "8", **ONE_DATASET},
        at="training.gradient_accumulation_steps training.batch_size",
        without=f"datasets training.max_steps {EVALUATING} {WARMING}",
        context=about_data(records=10),
        also="PW403 PW410",
    ),
    "answers-of-plain-text": Combination(
        "PW611",
        {"training.completion_only_loss": "true", **ONE_DATASET},
        at="training.completion_only_loss training.completion_only_loss:",
        without=f"datasets {EVALUATING}",
        context=about_data(format="text", columns=("text",)),
    ),
    "cut-examples": Combination(
        "PW612",
        {"training.max_length": "512|1024", **ONE_DATASET},
        at="training.max_length datasets.0.path",
        without=f"datasets {EVALUATING}",
        context=about_data(tokens_p50=3000, tokens_p99=9000),
    ),
    "missing-model": Combination(
        "PW701", {"model.base": "./models/absent"}, context=about_file("missing", path="./models/absent"), has_fix=False
    ),
    "beyond-the-context": Combination(
        "PW702", {"training.max_length": "4096|1025"}, context=about_model(context_length=1024)
    ),
    "template-of-another-family": Combination(
        "PW703",
        {"model.chat_template": "planted.jinja"},
        at="model.chat_template model.base",
        context=CheckContext(
            model=ModelFact("org/model", tokens=frozenset({"<|im_start|>", "<|im_end|>"})),
            template=TemplateFact(special_tokens=frozenset({"<|eot_id|>"})),
            files={"planted.jinja": FileFact("present")},
        ),
        has_fix=False,
    ),
    "missing-template": Combination(
        "PW704",
        {"model.chat_template": "planted.jinja"},
        context=about_file("missing", path="planted.jinja"),
        has_fix=False,
    ),
    "broken-template": Combination(
        "PW704",
        {"model.chat_template": "planted.jinja"},
        context=CheckContext(
            template=TemplateFact(problem="Line 1: expected end of print."),
            files={"planted.jinja": FileFact("present")},
        ),
        has_fix=False,
    ),
    "conversations-for-a-plain-base": Combination(
        "PW705",
        {"model.base": "org/plain", **ONE_DATASET},
        at="model.base datasets.0.path",
        without=f"datasets model.chat_template model.revision {EVALUATING}",
        context=CheckContext(
            model=ModelFact("org/plain", has_chat_template=False),
            datasets={DATA: DatasetFact(1000, "messages", ("messages",))},
            files={DATA: FileFact("present")},
        ),
        has_fix=False,
    ),
    "template-that-a-base-cannot-learn": Combination(
        "PW706",
        {"model.chat_template": "planted.jinja", "method.type": "lora"},
        at="model.chat_template model.base",
        without="method.modules_to_save",
        context=CheckContext(
            model=replace(LLAMA, has_chat_template=False, tokens=frozenset({"<|im_end|>"})),
            template=TemplateFact(special_tokens=frozenset({"<|im_end|>"})),
            files={"planted.jinja": FileFact("present")},
        ),
        has_fix=False,
    ),
    "code-that-is-not-trusted": Combination(
        "PW707",
        {"model.base": "org/own-code", "model.trust_remote_code": "false"},
        at="model.base model.trust_remote_code",
        context=about_model(has_remote_code=True, model_type="own_code"),
        has_fix=False,
    ),
    "device-that-is-not-there": Combination("PW801", {"compute.device": "cuda|mps"}, context=on("cpu"), without=TYPES),
    "bfloat16-on-an-old-gpu": Combination(
        "PW802",
        {"model.dtype": "bfloat16", **PLAIN_LORA},
        at="model.dtype",
        without=f"{TYPES} {LAYERS}",
        context=on("cuda", (7, 5)),
    ),
    "bfloat16-computing-on-an-old-gpu": Combination(
        "PW802",
        {"training.precision": "bfloat16", **PLAIN_LORA},
        at="training.precision",
        without=f"{TYPES} {LAYERS}",
        context=on("cuda", (7, 5)),
    ),
    "flash-attention-on-a-cpu": Combination(
        "PW803",
        {"model.attention": "flash_attention_2", **PLAIN_LORA},
        without=f"{TYPES} {LAYERS} compute",
        context=on("cpu", None, "bitsandbytes", "flash_attn"),
        also="PW335",
    ),
    "flash-attention-not-installed": Combination(
        "PW803",
        {"model.attention": "flash_attention_2", **PLAIN_LORA},
        without=f"{TYPES} {LAYERS} compute",
        context=on("cuda", (8, 0), "bitsandbytes"),
    ),
    "float32-on-a-gpu": Combination(
        "PW804",
        {"model.dtype": "float32", **PLAIN_LORA},
        at="model.dtype",
        without=f"{TYPES} {LAYERS} compute",
        context=on("cuda", (8, 0)),
    ),
    "packed-rows-through-sdpa": Combination(
        "PW805",
        {"training.packing": "true", "model.attention": "sdpa", "model.dtype": "bfloat16", **PLAIN_LORA},
        at="training.packing model.attention model.dtype",
        without=f"{TYPES} {LAYERS} compute",
        context=on("cuda", (8, 0)),
    ),
    "no-bitsandbytes-for-the-optimizer": Combination(
        "PW806",
        {"training.optimizer": "adamw_8bit|paged_adamw_8bit", "model.quantization": "none", "method.type": "lora"},
        without=f"{TYPES} {LAYERS}",
        context=on("cuda", (9, 0)),
    ),
    "no-bitsandbytes-for-the-weights": Combination(
        "PW806",
        {"model.quantization": "nf4|int8", "method.type": "lora", "training.optimizer": "adamw"},
        without=f"{TYPES} {LAYERS}",
        context=on("cuda", (9, 0)),
        has_fix=False,
    ),
    "float16-on-a-cpu": Combination(
        "PW807",
        {"training.precision": "float16", **PLAIN_LORA},
        without=f"{TYPES} {LAYERS} compute",
        context=on("cpu"),
    ),
    "too-little-memory": Combination(
        "PW810",
        {"model.base": "org/huge", **PLAIN_LORA},
        at="model.base method.type model.quantization",
        without=f"{TYPES} {LAYERS}",
        context=CheckContext(model=HUGE, hardware=on("cuda", (8, 0), memory=8).hardware),
        has_fix=False,
    ),
    "too-little-disk": Combination(
        "PW811",
        {"checkpoint.keep": "3|10", **FULL, "training.optimizer": "adamw"},
        at="checkpoint.keep method.type model.base",
        without=f"{NOT_FULL} checkpoint",
        context=CheckContext(
            model=HUGE,
            hardware=HardwareFact("cuda", "a GPU", (8, 0), 800 * GIB, 20 * GIB, frozenset()),
        ),
        has_fix=False,
    ),
    **{
        f"base-that-is-{kind}": Combination(
            code, {"model.base": "org/flawed"}, context=about_model(flaw=ModelFlaw(kind, "Planted.")), has_fix=False
        )
        for code, kind in FLAWS.items()
    },
    "weights-in-pickles": Combination(
        "PW822", {"model.base": "org/old"}, context=about_model(is_pickle=True), has_fix=False
    ),
    "data-on-the-hub": Combination(
        "PW903", {"datasets.0.path": "org/data"}, context=about_file("elsewhere", path="org/data"), has_fix=False
    ),
}

for _kind, _combination in COMBINATIONS.items():
    planter(_kind)(_combination.plant)
