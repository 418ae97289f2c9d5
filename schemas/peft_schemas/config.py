"""The language of `.peft.yaml`: one model a section, the field's own names.

The docstring under a field is its documentation everywhere: in the JSON Schema, in the editor's hover and in the
reference. Bounds here are those beyond which a value has no meaning; advice about sensible values is a rule's work.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from peft_schemas.base import Word

ProfileName = Literal[
    "chatbot", "code-generation", "summarization", "question-answering", "creative-writing", "domain-adaptation"
]
TemplateName = Literal["lora_finetuning", "full_finetuning"]
DType = Literal["auto", "float32", "bfloat16", "float16"]
Quantization = Literal["none", "int8", "nf4", "fp4"]
MethodType = Literal["lora", "qlora", "dora", "pissa", "rslora", "full"]
DatasetFormat = Literal["auto", "messages", "sharegpt", "alpaca", "prompt-completion", "text"]
Attention = Literal["auto", "eager", "sdpa", "flash_attention_2"]
Precision = Literal["auto", "float32", "bfloat16", "float16"]
Optimizer = Literal["adamw", "adamw_8bit", "paged_adamw_8bit", "adafactor", "sgd"]
Scheduler = Literal[
    "linear", "cosine", "cosine_with_restarts", "polynomial", "inverse_sqrt", "constant", "constant_with_warmup"
]
Device = Literal["auto", "cpu", "cuda", "mps"]
Backend = Literal["auto", "transformers", "unsloth"]
Strategy = Literal["ddp", "fsdp"]
TrackerType = Literal["none", "mlflow"]


Cadence = Annotated[int, Field(ge=1)] | Annotated[float, Field(gt=0, lt=1)]
"""Every so many steps; below 1, a share of the run's steps, as Transformers has it."""


class ModelConfig(Word):
    """The base model and how its weights are held."""

    base: Annotated[str, Field(min_length=1, examples=["HuggingFaceTB/SmolLM2-135M-Instruct"])]
    """The model to start from: a hub id such as `HuggingFaceTB/SmolLM2-135M-Instruct`, or the path of a folder or file."""

    revision: str | None = None
    """The branch, tag or commit of a hub model. Pin a commit to make a run repeatable."""

    dtype: DType = "auto"
    """The number type of the base weights in memory. `auto` takes bfloat16 where the device computes it well, else float32."""

    quantization: Quantization = "none"
    """How the frozen base weights are packed in memory: `none`, 8-bit `int8`, or 4-bit `nf4` and `fp4`."""

    double_quantization: bool = True
    """Pack the scales of 4-bit weights as well, which saves about 0.4 bits a weight. Without effect on other weights."""

    attention: Attention = "auto"
    """How attention is computed. `auto` takes the implementation that was measured best for the device."""

    trust_remote_code: bool = False
    """Run Python code that the model brings along. It can do anything that you can; leave it off for what you have not read."""

    chat_template: Annotated[str, Field(min_length=1, examples=["templates/chat.jinja"])] | None = None
    """A Jinja file, relative to this config file, that writes conversations. Left out, the model's own template."""


class MethodConfig(Word):
    """What is trained: a low-rank adapter of some kind, or every weight."""

    type: MethodType = "lora"
    """The fine-tuning method. `lora` trains small low-rank matrices beside frozen weights; `full` trains every weight."""

    r: Annotated[int, Field(ge=1, le=1024)] = 16
    """The rank of the adapter's matrices. A higher rank can learn more and needs more memory."""

    alpha: Annotated[float, Field(gt=0, le=4096)] = 32.0
    """The strength of the adapter: its update is scaled by `alpha / r` (by `alpha / sqrt(r)` for rsLoRA)."""

    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """The share of the adapter's inputs dropped at random while training, against overfitting."""

    target_modules: str | list[str] = "all-linear"
    """The layers that get an adapter: `all-linear`, a list of module names, or one regular expression over full names."""

    modules_to_save: list[str] = []
    """Modules trained in full beside the adapter and saved with it, such as `embed_tokens` and `lm_head`."""

    lora_plus_ratio: Annotated[float, Field(ge=1, le=1000)] | None = None
    """LoRA+: how many times faster the matrices B learn than the matrices A. Its authors advise 16."""


class ColumnsConfig(Word):
    """The names that a dataset has for the fields of its format."""

    messages: str | None = None
    """The column with the list of messages, for `messages`."""

    conversations: str | None = None
    """The column with the list of turns, for `sharegpt`."""

    prompt: str | None = None
    """The column with the prompt, for `prompt-completion`."""

    completion: str | None = None
    """The column with the answer, for `prompt-completion`."""

    instruction: str | None = None
    """The column with the instruction, for `alpaca`."""

    input: str | None = None
    """The column with the instruction's input, for `alpaca`."""

    output: str | None = None
    """The column with the answer, for `alpaca`."""

    text: str | None = None
    """The column with the text, for `text`."""


class DatasetConfig(Word):
    """One source of training examples."""

    path: Annotated[str, Field(min_length=1, examples=["data/train.jsonl"])]
    """A csv, json, jsonl, txt or parquet file, relative to this config file, or the id of a dataset on the hub."""

    format: DatasetFormat = "auto"
    """The shape of a record. `auto` recognises it from the first records."""

    split: Annotated[str, Field(min_length=1, examples=["train", "train[:10%]", "[:1000]"])] | None = None
    """The part that is used, as Datasets writes it: `train`, `train[:10%]`, or `[100:200]` of a file's records."""

    columns: ColumnsConfig = ColumnsConfig()
    """The dataset's own names for the fields of its format, where they differ."""

    weight: Annotated[float, Field(gt=0, le=100)] = 1.0
    """How often this dataset's examples are used relative to the others: 2 uses each example twice an epoch."""


class TrainingConfig(Word):
    """The optimisation loop."""

    num_epochs: Annotated[float, Field(gt=0, le=1000)] = 3.0
    """How many times the run goes through the data."""

    max_steps: Annotated[int, Field(ge=1)] | None = None
    """The number of optimizer steps after which the run ends. When set it overrides `num_epochs`."""

    batch_size: Annotated[int, Field(ge=1, le=4096)] = 4
    """Examples in one forward and backward pass on one device."""

    gradient_accumulation_steps: Annotated[int, Field(ge=1, le=4096)] = 1
    """Passes whose gradients are added up before one optimizer step. The effective batch is this times `batch_size`."""

    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 2e-4
    """The peak step size of the optimizer. Adapters usually train best near 2e-4, full fine-tuning near 1e-5."""

    lr_scheduler: Scheduler = "linear"
    """How the learning rate falls from its peak to the end of the run."""

    warmup_steps: Annotated[int, Field(ge=0)] = 0
    """Steps during which the learning rate rises from zero to its peak."""

    warmup_ratio: Annotated[float, Field(ge=0, lt=1)] | None = None
    """The same as a share of the run's steps. Write this or `warmup_steps`."""

    optimizer: Optimizer = "adamw"
    """The optimizer. The 8-bit ones keep their state in a quarter of the memory and need bitsandbytes."""

    weight_decay: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """The share by which AdamW shrinks the trained weights, per unit of learning rate, at each step."""

    max_grad_norm: Annotated[float, Field(gt=0)] = 1.0
    """Gradients longer than this are scaled down to it before each step."""

    precision: Precision = "auto"
    """The number type in which is computed. `auto` follows `model.dtype` where that is written; else it is the fastest
    that the device has in hardware, such as bfloat16."""

    max_length: Annotated[int, Field(ge=8, le=1_048_576)] = 1024
    """The longest example in tokens. What is longer is cut at the end."""

    packing: bool = False
    """Join short examples into full rows, each seeing only itself, so that no time is spent on padding."""

    completion_only_loss: bool = True
    """Learn only the assistant's words, not the prompts they answer."""

    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass: less memory, about a third more time."""

    early_stopping_patience: Annotated[int, Field(ge=1)] | None = None
    """Stop after so many evaluations without a better loss."""

    logging_steps: Annotated[int, Field(ge=1)] = 1
    """Steps between two reported metric points."""

    seed: Annotated[int, Field(ge=0, le=4_294_967_295)] = 42
    """The seed of every random choice: data order, adapter initialisation, dropout."""


class EvaluationConfig(Word):
    """Measuring the loss on examples that are not trained on."""

    split: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """The share of the examples held out for evaluation, chosen by the seed. 0 evaluates nothing."""

    datasets: list[DatasetConfig] = []
    """Examples to evaluate on, instead of a share of the training data."""

    every_steps: Cadence = 50
    """Steps between two evaluations; below 1, a share of the run: 0.1 evaluates ten times."""

    batch_size: Annotated[int, Field(ge=1, le=4096)] | None = None
    """Examples in one pass while evaluating. Left out, the `batch_size` of the training."""


class CheckpointConfig(Word):
    """Saving the state from which a run can go on."""

    every_steps: Cadence = 50
    """Steps between two checkpoints; below 1, a share of the run: 0.1 saves ten times."""

    keep: Annotated[int, Field(ge=1, le=1000)] = 3
    """How many of the newest checkpoints are kept."""

    load_best: bool = False
    """End with the weights of the checkpoint that had the lowest evaluation loss, not with the last ones."""


class ComputeConfig(Word):
    """Where the run computes."""

    provider: Literal["local"] = "local"
    """The place the run is sent to. `local` is this machine."""

    device: Device = "auto"
    """The device to train on. `auto` takes the first of CUDA, MPS and CPU that works."""

    backend: Backend = "auto"
    """The library that trains. `auto` takes Unsloth where it is installed and was found to work, else `transformers` with `peft`."""

    processes: Annotated[int, Field(ge=1, le=64)] = 1
    """Processes that train together on this machine, one a device. The effective batch grows with them."""

    strategy: Strategy = "ddp"
    """How several processes share the work: `ddp` gives each the whole model, `fsdp` a shard of it."""


class ScheduleConfig(Word):
    """When the run may compute. Until then it waits in the queue."""

    priority: Annotated[int, Field(ge=-100, le=100)] = 0
    """Of the runs that wait for a device, the one with the highest priority starts first."""

    not_before: (
        Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d$", examples=["2026-12-24T22:00"])] | None
    ) = None
    """The earliest start, in local time: `2026-12-24T22:00`."""

    window: (
        Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$", examples=["22:00-06:00"])]
        | None
    ) = None
    """The hours of the day in which the run may compute, in local time: `22:00-06:00`."""

    at_close: Literal["pause", "finish"] = "pause"
    """When the window closes: `pause` until it opens again, or `finish` what has begun."""

    ac_power: bool = False
    """Compute only while the machine is not on battery."""

    max_temperature: Annotated[float, Field(ge=30, le=120)] | None = None
    """Degrees Celsius of the hottest sensor above which the run waits until it has cooled by five degrees."""


class WatchConfig(Word):
    """What is done when a run goes wrong."""

    recovery: Literal["propose", "auto"] = "propose"
    """`propose` names what can be done and waits for you; `auto` does the first of it, after a checkpoint."""

    memory_limit: Annotated[float, Field(gt=0, le=1)] = 0.9
    """The share of the device's memory at which a run is said to be short of it."""

    stall_minutes: Annotated[float, Field(gt=0, le=1440)] = 10.0
    """Minutes without a step after which a run is said to stand still; ten times its usual step, where that is longer."""


class ExportConfig(Word):
    """What is written beside the adapter when the run completes."""

    merge: bool = False
    """Also write the base with the adapter merged into it, as a model folder of its own."""


class TrackerConfig(Word):
    """Where the run's measurements are sent, beside the run's own record."""

    type: TrackerType = "none"
    """The service that gets every metric of the run: `none`, or an `mlflow` tracking server."""

    url: Annotated[str, Field(min_length=1, examples=["http://127.0.0.1:5000"])] = "http://127.0.0.1:5000"
    """The address of the server. A token for it never stands here: `MLFLOW_TRACKING_TOKEN` has it, if `MLFLOW_TRACKING_URI` names this server."""

    experiment: Annotated[str, Field(min_length=1, max_length=250, examples=["support-desk"])] = "peft-workbench"
    """The experiment under which the run is listed there. It is made if it is not there."""


class RunConfig(Word):
    """A `.peft.yaml` file: the whole description of one fine-tuning run."""

    version: Literal[1]
    """The version of the config language."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")] | None = None
    """The name of the run and of its adapter: letters, digits, dots, dashes and underscores. Left out, the file's own name."""

    profile: ProfileName | None = None
    """A use case whose values fill what neither you, a preset nor a template sets."""

    preset: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")] | None = None
    """A set of values of your own, from `presets/NAME.yaml` beside this file or in your library."""

    template: TemplateName | None = None
    """A starting point whose values fill what neither you nor a preset sets; it goes before the profile."""

    model: ModelConfig
    """The base model."""

    method: MethodConfig = MethodConfig()
    """The fine-tuning method."""

    datasets: Annotated[list[DatasetConfig], Field(min_length=1)]
    """The training data, at least one entry."""

    training: TrainingConfig = TrainingConfig()
    """The optimisation loop: how long, in which steps, at which learning rate."""

    evaluation: EvaluationConfig = EvaluationConfig()
    """Evaluation on held-out examples."""

    checkpoint: CheckpointConfig = CheckpointConfig()
    """When the state of a run is saved, and how many of those checkpoints are kept."""

    compute: ComputeConfig = ComputeConfig()
    """Where the run computes."""

    schedule: ScheduleConfig = ScheduleConfig()
    """When the run may compute."""

    watch: WatchConfig = WatchConfig()
    """What is done when the run goes wrong."""

    export: ExportConfig = ExportConfig()
    """What is written when the run completes."""

    tracker: TrackerConfig = TrackerConfig()
    """Where the run's measurements are sent, beside the run's own record."""


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of `.peft.yaml`, for any YAML language server."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **RunConfig.model_json_schema()}
