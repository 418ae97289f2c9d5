"""Translating other tools' configs: nothing raises, nothing is dropped in silence, and the result is a config."""

from pathlib import Path
from typing import Any, get_args

from hypothesis import example, given
from hypothesis import strategies as st

from peft_engine.config.document import parse
from peft_engine.config.foreign.outgoing.write import Recipient, export_config
from peft_engine.config.foreign.source import Leaf, Source
from peft_engine.config.foreign.tables import Table, Tool, load_table
from peft_engine.config.foreign.translate import import_config
from peft_engine.config.resolve import ResolvedConfig, resolve
from peft_engine.config.text import SourceText
from peft_engine.config.write import to_json, to_yaml
from peft_schemas.config import RunConfig
from peft_schemas.findings import Finding
from tests.property.strategies import configs, examples, texts

TOOLS: tuple[Tool, ...] = get_args(Tool)

RECIPIENTS: tuple[Recipient, ...] = get_args(Recipient)
IGNORED: dict[Recipient, tuple[str, ...]] = {
    "axolotl": ("version", "profile", "preset", "template"),
    "llamafactory": ("version", "profile", "preset", "template", "datasets", "evaluation.datasets"),
    "trl": ("version", "profile", "preset", "template"),
}
"""What is not compared: what has its effect elsewhere, and what stands in a file beside the exported one."""

OF_EVALUATION = ("evaluation.", "checkpoint.load_best", "training.early_stopping_patience")
"""What has no effect where nothing is evaluated."""

WORDS: list[Any] = [
    None, True, False, 0, 1, 2, 8, 0.1, 0.9999, 1e-4, -1, 1000, "1e-4", "auto", "no", "epoch", "steps", "lora", "qlora",
    "full", "bf16", "fp16", "all", "all-linear", "q_proj,v_proj", ["q_proj", "v_proj"], [], {}, "cosine", "adamw_torch",
    "adamw_8bit", "org/data", "data/x.jsonl", "a name: with # signs", "train[:10%]", "alpaca", "chat_template", "pissa",
    "sharegpt", "${output_dir}", "torchtune.models.llama3.qlora_llama3_8b", "torchtune.datasets.chat_dataset", "sdpa",
]  # fmt: skip
BASES: dict[Tool, list[str]] = {
    "axolotl": ["base_model"],
    "llamafactory": ["model_name_or_path", "do_train"],
    "torchtune": ["checkpointer.checkpoint_dir", "epochs"],
    "oumi": ["model.model_name"],
    "trl": ["model_name_or_path"],
}


def nested(flat: dict[str, Any]) -> dict[str, Any]:
    """Return a mapping of mappings from dotted paths; `[]` makes a list of one or more entries."""
    whole: dict[str, Any] = {}
    for path, value in flat.items():
        place: Any = whole
        *above, last = path.split(".")
        for part in above:
            name = part.removesuffix("[]")
            below = place.setdefault(name, [{}] if part.endswith("[]") else {})
            if isinstance(below, list) and below and isinstance(below[0], dict):
                below = below[0]
            if not isinstance(below, dict):
                break
            place = below
        else:
            if not last.endswith("[]"):
                place.setdefault(last, value)
    return whole


@st.composite
def foreign_configs(draw: st.DrawFn, tool: Tool) -> str:
    """A text made of keys that a tool knows, and some that it does not, with values of every kind."""
    table = load_table(tool)
    known = sorted(table.known_paths())
    important = sorted({*table.keys, *(key for keys in table.together.values() for key in keys)})
    chosen = draw(
        st.lists(st.one_of(st.sampled_from(important), st.sampled_from(known), st.sampled_from(["learning_rat", "x"])))
    )
    flat = {path: draw(st.sampled_from(WORDS)) for path in [*BASES[tool], *chosen]}
    return to_yaml(nested(flat))


def covers(finding: Finding, leaf: Leaf, source: Source) -> bool:
    """Tell whether a finding stands at a value, at its key, or around both."""
    place = source.document.range(leaf.key or leaf.node)
    value = source.document.range(leaf.node)
    start, end = finding.range.start, finding.range.end
    around = (start.line, start.character) <= (place.start.line, place.start.character)
    around = around and (place.end.line, place.end.character) <= (end.line, end.character)
    return around or finding.range in (place, value)


@st.composite
def any_tool(draw: st.DrawFn) -> tuple[Tool, str]:
    tool = draw(st.sampled_from(TOOLS))
    return tool, draw(foreign_configs(tool))


@examples(120)
@given(any_tool())
def test_B24_every_foreign_value_is_carried_over_or_has_a_finding_at_its_place(case: tuple[Tool, str]) -> None:
    tool, text = case
    imported = import_config(tool, text)
    assert imported.config, imported.findings
    table: Table = load_table(tool)
    source = Source(parse(SourceText(text)), table)
    for leaf in source.leaves.values():
        if leaf.path not in imported.record:
            assert any(covers(finding, leaf, source) for finding in imported.findings), leaf.path


@examples(120)
@given(any_tool())
def test_B24_what_an_import_writes_is_a_config_but_for_what_it_says_is_to_be_filled_in(case: tuple[Tool, str]) -> None:
    tool, text = case
    imported = import_config(tool, text)
    document = parse(SourceText(imported.config))
    assert document.problems == ()
    data = document.to_plain()
    gaps = [path for path in ("model", "datasets") if _has_gap(data[path])]
    for path in gaps:
        data[path] = {"base": "org/m"} if path == "model" else [{"path": "org/d"}]
    RunConfig.model_validate(data)
    assert imported.is_usable <= (not gaps)


@examples(150)
@given(st.sampled_from(TOOLS), texts())
def test_B24_no_text_makes_an_import_fail(tool: Tool, text: str) -> None:
    imported = import_config(tool, text)
    assert imported.config or any(finding.severity == "error" for finding in imported.findings)


@examples(150)
@given(configs())
def test_B28_a_config_that_is_saved_and_loaded_is_the_same(config: dict[str, Any]) -> None:
    source = Path("saved.peft.yaml")
    for text in (to_yaml(config), to_json(config)):
        loaded = parse(SourceText(text))
        assert loaded.problems == ()
        assert loaded.to_plain() == config
        assert resolve(loaded.to_plain(), source=source) == resolve(config, source=source)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1, max_size=4), inner, max_size=3),
    max_leaves=6,
)


@examples(150)
@given(st.dictionaries(st.text(min_size=1, max_size=8), PLAIN, max_size=4, min_size=1))
@example({"<<": None})
def test_B28_any_values_that_are_saved_and_loaded_are_the_same(values: dict[str, Any]) -> None:
    for text in (to_yaml(values), to_json(values)):
        assert parse(SourceText(text)).to_plain() == values


@examples(40)
@given(st.sampled_from(RECIPIENTS), configs())
def test_B28_a_config_that_is_exported_and_imported_again_means_the_same_but_for_what_is_said(
    tool: Recipient, config: dict[str, Any]
) -> None:
    document = parse(SourceText(to_yaml(config)))
    before = resolve(config, source=Path("desk.peft.yaml"))
    exported = export_config(tool, document, before)
    assert not any(finding.severity == "error" for finding in exported.findings)
    unsaid = [finding.message.split("`")[1] for finding in exported.findings if "`" in finding.message]
    back = import_config(tool, exported.config)
    assert back.config, back.findings
    after = resolve(parse(SourceText(back.config)).to_plain(), source=Path("desk.peft.yaml"))
    idle = ("method.", "model.double") if before.config.method.type == "full" else ("model.double",)
    for value in before.explained:
        if value.path in unsaid or value.path.startswith((*IGNORED[tool], *idle)) or value.path.endswith(".format"):
            continue
        held_out = before.config.evaluation.split and not before.config.evaluation.datasets
        if value.path.startswith(OF_EVALUATION) and not held_out:
            continue
        found = after.explain(value.path)
        assert found is not None, value.path
        assert _meaning(before, value.path) == _meaning(after, value.path), value.path


def _meaning(resolved: ResolvedConfig, path: str) -> Any:
    """Return a value so that two ways of saying the same are equal."""
    config = resolved.config
    packed = config.model.quantization
    if path == "method.type" and config.method.type in ("lora", "qlora"):
        return "lora"
    if path == "model.quantization" and packed == "none" and config.method.type == "qlora":
        return "nf4"
    if path == "training.warmup_steps" and config.training.warmup_ratio:
        return 0
    if path == "training.warmup_ratio":
        return config.training.warmup_ratio or None
    if path.endswith("].columns.text"):
        explained = resolved.explain(path)
        return "text" if explained is None else explained.value or "text"
    if path == "evaluation.batch_size":
        return config.evaluation.batch_size or config.training.batch_size
    explained = resolved.explain(path)
    return None if explained is None else explained.value


def _has_gap(section: Any) -> bool:
    entries = section if isinstance(section, list) else [section]
    return any(value is None for entry in entries for value in entry.values())
