"""Faults of method, precision, schedule and cost that show in the text alone."""

from benchmarks.findings.combinations import Combination
from benchmarks.findings.faults import planter

ADAPTER_KEYS = (
    "method.r method.alpha method.dropout method.target_modules method.modules_to_save method.lora_plus_ratio"
)
LAYERS = "profile template preset"
FULL = {"method.type": "full", "training.learning_rate": "1.0e-5", "model.quantization": "none", "model.dtype": "auto"}
NOT_FULL = f"{LAYERS} {ADAPTER_KEYS} model.double_quantization training.precision export"
EVALUATING = f"{LAYERS} evaluation checkpoint.load_best training.early_stopping_patience"
WARMING = "training.warmup_steps training.warmup_ratio"
HELD_OUT = "[{path: data/planted-held-out.jsonl}]"

COMBINATIONS = {
    "qlora-without-4-bits": Combination(
        "PW301",
        {"method.type": "qlora", "model.quantization": "none|int8"},
        at="method.type model.quantization",
        without=f"{LAYERS} export",
    ),
    "full-of-quantized-weights": Combination(
        "PW302",
        {"model.quantization": "nf4|fp4|int8", **{k: v for k, v in FULL.items() if k != "model.quantization"}},
        at="method.type model.quantization",
        without=NOT_FULL,
    ),
    "pissa-of-quantized-weights": Combination(
        "PW303",
        {"method.type": "pissa", "model.quantization": "nf4|int8|fp4"},
        at="method.type model.quantization",
        without="export",
    ),
    "adapter-key-with-full": Combination(
        "PW305", {"method.r": "8|64", **FULL}, at="method.r method.r:", without=NOT_FULL
    ),
    "adapter-list-with-full": Combination(
        "PW305",
        {"method.target_modules": "[q_proj, up_proj]|all-linear", **FULL},
        at="method.target_modules method.target_modules:",
        without=NOT_FULL,
    ),
    "rslora-with-a-plain-alpha": Combination(
        "PW306",
        {"method.alpha": "128|64", "method.r": "32|64", "method.type": "rslora"},
        at="method.alpha method.r method.type",
    ),
    "odd-strength": Combination(
        "PW307", {"method.alpha": "2048", "method.r": "1|2", "method.type": "lora|dora"}, at="method.alpha method.r"
    ),
    "dora-in-8-bits-on-a-cpu": Combination(
        "PW808",
        {"method.type": "dora", "model.quantization": "int8", "compute.device": "cpu"},
        at="method.type model.quantization compute.device",
        without=f"{LAYERS} export model.double_quantization compute.processes",
        also="PW904 PW334",
    ),
    "several-processes-on-a-cpu": Combination(
        "PW831",
        {"compute.processes": "2|4", "compute.device": "cpu"},
        at="compute.processes compute.device",
        without=f"compute.strategy {LAYERS} model.dtype training.precision model.attention",
    ),
    "packed-weights-to-be-spread": Combination(
        "PW832",
        {"compute.strategy": "fsdp", "compute.processes": "2|8", "model.quantization": "nf4", "method.type": "qlora"},
        at="compute.strategy model.quantization",
        without=f"compute.device compute.backend {LAYERS} export",
    ),
    "optimizer-of-whole-weights": Combination(
        "PW834",
        {
            "compute.strategy": "fsdp",
            "compute.processes": "2|8",
            "training.optimizer": "adamw_8bit|paged_adamw_8bit|adafactor",
            "method.type": "lora",
            "training.learning_rate": "2.0e-4",
            "model.quantization": "none",
        },
        at="compute.strategy training.optimizer",
        without=f"compute.device compute.backend {LAYERS} model.double_quantization method.lora_plus_ratio",
    ),
    "spread-over-one": Combination(
        "PW833", {"compute.strategy": "fsdp"}, at="compute.strategy", without="compute.processes", also="PW832"
    ),
    "dora-that-cannot-be-chatted-with": Combination(
        "PW904",
        {"method.type": "dora", "model.quantization": "none"},
        at="method.type",
        without="method.modules_to_save model.double_quantization",
    ),
    "whole-modules-that-cannot-be-chatted-with": Combination(
        "PW904",
        {"method.modules_to_save": "[lm_head]|[embed_tokens, lm_head]", "method.type": "lora|rslora"},
        at="method.modules_to_save method.modules_to_save:",
        without="model.dtype",
        also="PW306",
    ),
    "lora-plus-with-full": Combination(
        "PW308 PW305",
        {"method.lora_plus_ratio": "16", **FULL},
        at="method.lora_plus_ratio method.lora_plus_ratio: method.type",
        without=NOT_FULL,
    ),
    "lora-plus-with-another-optimizer": Combination(
        "PW309",
        {"method.lora_plus_ratio": "16|4", "training.optimizer": "sgd|adafactor", "method.type": "lora"},
        at="method.lora_plus_ratio training.optimizer",
        without=LAYERS,
    ),
    "bad-expression": Combination(
        "PW310",
        {"method.target_modules": "'(q_proj'|'*_proj'|'[a-'", "method.type": "lora"},
        has_fix=False,
    ),
    "no-targets": Combination("PW312 PW112", {"method.target_modules": "[]|[ ]", "method.type": "lora"}),
    "attention-only": Combination(
        "PW313", {"method.target_modules": "[q_proj, v_proj]|[q_proj, k_proj, v_proj, o_proj]", "method.type": "lora"}
    ),
    "full-in-float16": Combination(
        "PW330",
        {"model.dtype": "float16", **{k: v for k, v in FULL.items() if k != "model.dtype"}},
        at="model.dtype method.type",
        without=f"{NOT_FULL} model.attention",
    ),
    "saved-modules-in-float16": Combination(
        "PW330",
        {"model.dtype": "float16", "method.modules_to_save": "[lm_head]", "method.type": "lora"},
        at="model.dtype method.modules_to_save",
        without=f"{LAYERS} training.precision model.quantization",
    ),
    "other-type-than-16-bit-weights": Combination(
        "PW331",
        {"training.precision": "float16|float32", "model.dtype": "bfloat16", "method.type": "lora"},
        at="training.precision model.dtype",
        without=LAYERS,
    ),
    "double-quantization-of-nothing": Combination(
        "PW332",
        {"model.double_quantization": "true", "model.quantization": "none|int8", "method.type": "lora"},
        at="model.double_quantization: model.double_quantization",
        without=f"{LAYERS} export",
    ),
    "merging-a-quantized-base": Combination(
        "PW334",
        {"export.merge": "true", "model.quantization": "nf4|fp4", "method.type": "qlora"},
        at="export.merge model.quantization",
    ),
    "unsloth-beside-another-method": Combination(
        "PW905",
        {"compute.backend": "unsloth", "method.type": "dora|pissa"},
        at="compute.backend method.type",
        without=f"{LAYERS} model.quantization model.double_quantization model.dtype model.attention compute.processes "
        "compute.strategy compute.device method.modules_to_save training.optimizer export",
        also="PW904",
    ),
    "flash-attention-in-float32": Combination(
        "PW335",
        {"model.attention": "flash_attention_2", "model.dtype": "float32", "method.type": "lora"},
        at="model.attention model.dtype",
        without=f"{LAYERS} training.precision model.quantization model.double_quantization export",
    ),
    "two-warm-ups": Combination(
        "PW401",
        {
            "training.warmup_steps": "10|1",
            "training.warmup_ratio": "0.1|0.03",
            "training.lr_scheduler": "cosine|linear",
        },
        at="training.warmup_steps training.warmup_ratio",
        without="training.max_steps",
    ),
    "warm-up-share-as-steps": Combination(
        "PW402",
        {"training.warmup_steps": "0.1|0.03|0.5", "training.lr_scheduler": "cosine|linear"},
        without=f"{WARMING} profile template",
    ),
    "warm-up-longer-than-the-run": Combination(
        "PW403",
        {"training.warmup_steps": "1000|2000", "training.max_steps": "1000", "training.lr_scheduler": "linear"},
        at="training.warmup_steps training.max_steps",
        without=f"{WARMING} training.num_epochs",
    ),
    "steps-and-epochs": Combination(
        "PW404",
        {"training.max_steps": "5000", "training.num_epochs": "2|3"},
        at="training.num_epochs training.num_epochs: training.max_steps",
    ),
    "warm-up-of-a-constant-rate": Combination(
        "PW405",
        {"training.lr_scheduler": "constant", "training.warmup_steps": "10"},
        at="training.warmup_steps: training.warmup_steps training.lr_scheduler",
        without=f"{WARMING} training.max_steps",
    ),
    "no-checkpoint-before-the-end": Combination(
        "PW410",
        {"checkpoint.every_steps": "100|21", "training.max_steps": "20"},
        at="checkpoint.every_steps training.max_steps",
        without=f"{EVALUATING} {WARMING} training.num_epochs",
    ),
    "evaluating-nothing": Combination(
        "PW411",
        {"evaluation.every_steps": "10|0.1"},
        at="evaluation.every_steps: evaluation.every_steps",
        without=EVALUATING,
    ),
    "batches-of-no-evaluation": Combination(
        "PW411", {"evaluation.batch_size": "1"}, at="evaluation.batch_size: evaluation.batch_size", without=EVALUATING
    ),
    "share-and-datasets-held-out": Combination(
        "PW412",
        {"evaluation.split": "0.1|0.25", "evaluation.datasets": HELD_OUT},
        at="evaluation.split evaluation.split: evaluation.datasets:",
        without=EVALUATING,
    ),
    "best-of-no-evaluations": Combination(
        "PW413",
        {"checkpoint.load_best": "true"},
        at="checkpoint.load_best checkpoint.load_best:",
        without=EVALUATING,
    ),
    "stopping-early-without-evaluations": Combination(
        "PW414",
        {"training.early_stopping_patience": "1|3"},
        at="training.early_stopping_patience training.early_stopping_patience:",
        without=EVALUATING,
    ),
    "checkpoints-between-evaluations": Combination(
        "PW415",
        {
            "checkpoint.every_steps": "50|70",
            "evaluation.every_steps": "40|30",
            "evaluation.split": "0.1",
            "checkpoint.load_best": "true",
        },
        at="checkpoint.every_steps evaluation.every_steps checkpoint.load_best",
        without=f"{EVALUATING} training.max_steps",
    ),
    "large-evaluation-batches": Combination(
        "PW416",
        {"evaluation.batch_size": "64|32", "training.batch_size": "4|2", "evaluation.split": "0.1"},
        at="evaluation.batch_size training.batch_size",
        without=EVALUATING,
    ),
    "window-without-length": Combination(
        "PW420", {"schedule.window": "22:00-22:00|00:00-00:00"}, without="schedule.at_close"
    ),
    "start-that-is-no-moment": Combination(
        "PW421", {"schedule.not_before": "2026-02-30T22:00|2026-13-01T08:00|2026-12-24T24:30"}
    ),
    "close-of-no-window": Combination(
        "PW423",
        {"schedule.at_close": "finish|pause"},
        at="schedule.at_close: schedule.at_close",
        without="schedule.window",
    ),
    "tracker-without-an-address": Combination(
        "PW841", {"tracker.url": "localhost:5000|./mlruns|file:///mlruns", "tracker.type": "mlflow"}, has_fix=False
    ),
    "password-for-a-tracker": Combination(
        "PW842",
        {"tracker.url": "https://me:secret@tracker.example.org|http://token@127.0.0.1:5000", "tracker.type": "mlflow"},
        has_fix=False,
    ),
    "tracker-without-a-type": Combination(
        "PW843",
        {"tracker.url": "http://127.0.0.1:5001|https://tracker.example.org"},
        at="tracker.url: tracker.url",
        without="tracker.type tracker.experiment",
    ),
    "impossible-learning-rate": Combination("PW501", {"training.learning_rate": "0.5|0.02|1.0e-7"}, also="PW504"),
    "daring-learning-rate": Combination(
        "PW501", {"training.learning_rate": "5.0e-3|2.0e-3", "method.type": "lora"}, also="PW504"
    ),
    "impossible-batch": Combination("PW502", {"training.batch_size": "129|500|4096"}),
    "odd-batch": Combination("PW502", {"training.batch_size": "3|7|24"}, without=EVALUATING),
    "impossible-epochs": Combination("PW503", {"training.num_epochs": "0.5|101|1000"}, without="training.max_steps"),
    "many-epochs": Combination("PW503", {"training.num_epochs": "11|50"}, without="training.max_steps"),
    "adapter-rate-with-full": Combination(
        "PW504",
        {"training.learning_rate": "2.0e-4|1.0e-3", **{k: v for k, v in FULL.items() if "rate" not in k}},
        at="training.learning_rate method.type",
        without=f"{NOT_FULL} training.optimizer",
    ),
    "full-rate-with-an-adapter": Combination(
        "PW504",
        {"training.learning_rate": "1.0e-5|2.0e-6", "method.type": "lora"},
        at="training.learning_rate method.type",
        without=f"{LAYERS} training.optimizer",
    ),
    "evaluating-the-training-data": Combination(
        "PW609",
        {"evaluation.datasets": "[{path: data/planted.jsonl}]", "datasets.0.path": "data/planted.jsonl"},
        at="evaluation.datasets.0.path datasets.0.path",
        without=f"{EVALUATING} datasets.0.split",
        has_fix=False,
    ),
    "the-same-dataset-twice": Combination(
        "PW610",
        {"datasets": "[{path: data/a.jsonl}, {path: data/b.jsonl, weight: 2}, {path: data/a.jsonl}]"},
        at="datasets.2.path datasets.0.path",
        without=f"datasets {EVALUATING}",
        has_fix=False,
    ),
    "malformed-split": Combination(
        "PW607", {"datasets.0.split": "'train[:10%'|'[5:2]'|'[a:b]'|'train[:150%]'"}, has_fix=False
    ),
    "trusting-a-branch": Combination(
        "PW821",
        {"model.revision": "main|v1.0", "model.trust_remote_code": "true", "model.base": "org/own-code"},
        at="model.revision model.trust_remote_code",
        has_fix=False,
        also="PW820",
    ),
    "trusting-without-a-revision": Combination(
        "PW821",
        {"model.trust_remote_code": "true", "model.base": "org/own-code"},
        at="model.trust_remote_code model.base",
        without="model.revision",
        has_fix=False,
        also="PW820",
    ),
    "trusting": Combination(
        "PW820",
        {"model.trust_remote_code": "true", "model.revision": "0123456789abcdef0123456789abcdef01234567"},
    ),
}

for _kind, _combination in COMBINATIONS.items():
    planter(_kind)(_combination.plant)
