"""Fixes as a user sees them: the text before and the text after."""

from typing import get_args

import pytest

from peft_daemon.language.check import check_document, check_text
from peft_daemon.language.context import CheckContext
from peft_daemon.language.rules.better_values import DEFAULTS_OF_THE_METHOD
from peft_engine.config.document import parse
from peft_engine.config.resolve import layers_of, leaves
from peft_engine.config.text import SourceText
from peft_schemas.config import MethodType
from tests.property.faults import apply

BASE = "version: 1\nmodel:\n  base: org/m\ndatasets:\n  - path: org/d\n"

TABLE = [
    ("a misspelt key", f"{BASE}training:\n  learning_rat: 1.0e-4\n", f"{BASE}training:\n  learning_rate: 1.0e-4\n"),
    ("a misspelt section", f"{BASE}trainnig:\n  seed: 1\n", f"{BASE}training:\n  seed: 1\n"),
    ("a foreign name in its section", f"{BASE}method:\n  lora_r: 8 # rank\n", f"{BASE}method:\n  r: 8 # rank\n"),
    ("a foreign name at the root", f"{BASE}lora_r: 8\n", f"{BASE}method:\n  r: 8\n"),
    (
        "a foreign name whose section is there",
        f"lora_r: 8\n{BASE}method: {{type: lora}}\n",
        f"{BASE}method: {{type: lora, r: 8}}\n",
    ),
    (
        "a key of another section",
        f"{BASE}method:\n  type: lora\n  seed: 7\ntraining:\n  packing: true # yes\n",
        f"{BASE}method:\n  type: lora\ntraining:\n  packing: true # yes\n  seed: 7\n",
    ),
    ("the only key of a section", f"{BASE}method:\n  seed: 7\n", f"{BASE}training:\n  seed: 7\n"),
    (
        "a key with a comment behind it",
        f"{BASE}method:\n  type: lora\n  seed: 7  # as in May\ntraining:\n  packing: true # yes\n",
        f"{BASE}method:\n  type: lora\ntraining:\n  packing: true # yes\n  seed: 7  # as in May\n",
    ),
    (
        "a key with a comment, whose section is absent",
        f"{BASE}method:\n  type: lora\n  seed: 7 # as in May",
        f"{BASE}method:\n  type: lora\ntraining:\n  seed: 7  # as in May",
    ),
    (
        "a key with a comment, whose section stands in brackets",
        f"{BASE}training: {{packing: true}}\nmethod:\n  type: lora\n  seed: 7  # as in May\n",
        f"{BASE}# as in May\ntraining: {{packing: true, seed: 7}}\nmethod:\n  type: lora\n",
    ),
    (
        "the first key of a list's entry",
        "version: 1\nmodel: {base: m}\ndatasets:\n  - zzyzx: 1 # ?\n    # whose\n    path: org/d\n",
        "version: 1\nmodel: {base: m}\ndatasets:\n  - # whose\n    path: org/d\n",
    ),
    (
        "a dataset under a foreign name",
        "version: 1\nmodel: {base: m}\ndataset: org/d\n",
        "version: 1\nmodel: {base: m}\ndatasets:\n  - path: org/d\n",
    ),
    ("a number below the range", f"{BASE}checkpoint: {{keep: -4}}\n", f"{BASE}checkpoint: {{keep: 1}}\n"),
    (
        "a number that turns something off elsewhere",
        f"{BASE}training: {{num_epochs: 2, max_steps: -1}}\n",
        f"{BASE}training: {{num_epochs: 2}}\n",
    ),
    ("a rank below the range", f"{BASE}method: {{r: -4}}\n", f"{BASE}method: {{r: 16}}\n"),
    (
        "a rank above the range beside its strength",
        f"{BASE}method: {{r: 9999, alpha: 64}}\n",
        f"{BASE}method: {{r: 32, alpha: 64}}\n",
    ),
    ("a strength above the range", f"{BASE}method: {{r: 8, alpha: 1.0e9}}\n", f"{BASE}method: {{r: 8}}\n"),
    ("a number above the range", f"{BASE}checkpoint:\n  keep: 5000\n", f"{BASE}checkpoint:\n  keep: 1000\n"),
    (
        "a number far above what is advised",
        f"{BASE}training:\n  batch_size: 99999\n",
        f"{BASE}training:\n  batch_size: 16\n",
    ),
    *(
        (
            f"a number as people write it, {typed}",
            f"{BASE}training:\n  {key}: {typed}\n",
            f"{BASE}training:\n  {key}: {meant}\n",
        )
        for key, typed, meant in [
            ("learning_rate", "2,0e-4", "2.0e-4"),
            ("learning_rate", "0,001", "0.001"),
            ("warmup_ratio", "10%", "0.1"),
            ("max_length", "2,048", "2048"),
            ("batch_size", "1_6", "16"),
        ]
    ),
    (
        "names without brackets",
        f"{BASE}method:\n  target_modules: q_proj, up_proj\n",
        f"{BASE}method:\n  target_modules: [q_proj, up_proj]\n",
    ),
    (
        "a path in one line",
        f"{BASE}method.r: 8\nmethod:\n  type: lora\n",
        f"{BASE}method:\n  type: lora\n  r: 8\n",
    ),
    (
        "a number with no nearest one",
        f"{BASE}training:\n  warmup_ratio: 5\n",
        f"{BASE}training:\n  warmup_ratio: null\n",
    ),
    (
        "a bound that is excluded",
        f"{BASE}training:\n  learning_rate: 0\n  seed: 1\nmethod:\n  type: full\n",
        f"{BASE}training:\n  seed: 1\nmethod:\n  type: full\n",
    ),
    (
        "a bound that is excluded, in the only key of a section",
        f"{BASE}training:\n  learning_rate: 0\nmethod:\n  type: full\n",
        f"{BASE}method:\n  type: full\n",
    ),
    ("a quoted number", f"{BASE}method:\n  r: '8'\n", f"{BASE}method:\n  r: 8\n"),
    ("a number with separators", f"{BASE}training:\n  max_length: 2,048\n", f"{BASE}training:\n  max_length: 2048\n"),
    ("a YAML 1.1 boolean", f"{BASE}training:\n  packing: Off\n", f"{BASE}training:\n  packing: false\n"),
    ("a whole number as a fraction", f"{BASE}method:\n  r: 8.0\n", f"{BASE}method:\n  r: 8\n"),
    ("a number where text belongs", f"{BASE}name: 007\n", f'{BASE}name: "007"\n'),
    ("a misspelt choice", f"{BASE}method:\n  type: Lora\n", f"{BASE}method:\n  type: lora\n"),
    (
        "an abbreviated choice",
        BASE.replace("base: org/m", "base: org/m\n  dtype: bf16"),
        BASE.replace("base: org/m", "base: org/m\n  dtype: bfloat16"),
    ),
    ("a bad name", f"{BASE}name: Meine Läufe!\n", f"{BASE}name: Meine-L-ufe\n"),
    ("a key without a value", f"{BASE}method:\n  r:\n", f"{BASE}method:\n  r: 16\n"),
    ("a list without a value", f"{BASE}method:\n  modules_to_save:\n", f"{BASE}method:\n  modules_to_save: []\n"),
    ("an empty section", f"{BASE}training:\nname: x\n", f"{BASE}name: x\n"),
    ("a repeated key", f"{BASE}name: a\nname: b\n", f"{BASE}name: a\n"),
    ("a model written as text", BASE.replace("\n  base:", ""), BASE.replace("\n  base: org/m", " {base: org/m}")),
    (
        "a dataset written as text",
        BASE.replace("- path: org/d", "- org/d"),
        BASE.replace("- path: org/d", "- {path: org/d}"),
    ),
    (
        "a mapping where a list belongs",
        BASE.replace("\n  - path: org/d", " {path: org/d}"),
        BASE.replace("\n  - path: org/d", " [{path: org/d}]"),
    ),
    (
        "tabs",
        "version: 1\nmodel:\n\tbase: org/m\n\tdtype: auto\ndatasets:\n\t- path: org/d\n",
        "version: 1\nmodel:\n  base: org/m\n  dtype: auto\ndatasets:\n  - path: org/d\n",
    ),
    (
        "tabs where lines end in a return",
        "version: 1\rmodel:\r\tbase: org/m\rdatasets:\r\t- path: org/d\r",
        "version: 1\rmodel:\r  base: org/m\rdatasets:\r  - path: org/d\r",
    ),
    ("no version", BASE.removeprefix("version: 1\n"), BASE),
    ("no version below a comment", "# c\n" + BASE.removeprefix("version: 1\n"), "# c\n" + BASE),
    ("an earlier version", BASE.replace("1", "0", 1), BASE),
    (
        "no base",
        BASE.replace("base: org/m", "dtype: auto"),
        BASE.replace("base: org/m", "dtype: auto\n  base: HuggingFaceTB/SmolLM2-135M-Instruct"),
    ),
    (
        "CRLF",
        "version: 1\r\nlora_r: 8\r\nmodel: {base: m}\r\ndatasets: [{path: org/d}]\r\n",
        "version: 1\r\nmodel: {base: m}\r\ndatasets: [{path: org/d}]\r\nmethod:\r\n  r: 8\r\n",
    ),
    ("no newline at the end", f"{BASE}name: x\nseed: 1", f"{BASE}name: x\ntraining:\n  seed: 1"),
    (
        "QLoRA without its 4 bits",
        f"{BASE}method: {{type: qlora}}\n",
        BASE.replace("base: org/m", "base: org/m\n  quantization: nf4") + "method: {type: qlora}\n",
    ),
    (
        "a section within a section",
        f"{BASE}training:\n  seed: 1\n  method: # how\n    type: lora # plain\n    # rank\n    r: 8\n  packing: true\n",
        f"{BASE}training:\n  seed: 1\n  packing: true\nmethod: # how\n  type: lora # plain\n  # rank\n  r: 8\n",
    ),
    (
        "a section at the end of a section",
        f"{BASE}training:\n  seed: 1\n  method:\n    type: lora\n    r: 8\n",
        f"{BASE}training:\n  seed: 1\nmethod:\n  type: lora\n  r: 8\n",
    ),
    (
        "a list within a section",
        "version: 1\nmodel:\n  base: org/m\n  datasets:\n    - path: a.jsonl\n      weight: 2\n    - path: b.jsonl\n",
        "version: 1\nmodel:\n  base: org/m\ndatasets:\n  - path: a.jsonl\n    weight: 2\n  - path: b.jsonl\n",
    ),
    (
        "one dataset without a dash",
        "version: 1\nmodel: {base: m}\ndatasets:\n  path: org/d # mine\n\n  # twice\n  weight: 2\n",
        "version: 1\nmodel: {base: m}\ndatasets:\n  - path: org/d # mine\n\n    # twice\n    weight: 2\n",
    ),
    (
        "dashes before a section's keys",
        f"{BASE}training:\n  - seed: 1 # c\n  - packing: true\n",
        f"{BASE}training:\n    seed: 1 # c\n    packing: true\n",
    ),
    (
        "a foreign key with another value",
        f"{BASE}load_in_4bit: true\n",
        BASE.replace("org/m\n", "org/m\n  quantization: nf4\n"),
    ),
    (
        "a foreign key in its section with another value",
        f"{BASE}training:\n  bf16: true # fast\n",
        f"{BASE}training:\n  precision: bfloat16 # fast\n",
    ),
    (
        "an inverted foreign key",
        f"{BASE}training:\n  train_on_inputs: false\n",
        f"{BASE}training:\n  completion_only_loss: true\n",
    ),
    (
        "a word for two keys, with the value of one",
        f"{BASE}training:\n  warmup: 0.1\n",
        f"{BASE}training:\n  warmup_ratio: 0.1\n",
    ),
    (
        "another word for the key that a section must have",
        BASE.replace("base:", "name:"),
        BASE,
    ),
    ("the beginning of a name", f"{BASE}eval: {{split: 0.1}}\n", f"{BASE}evaluation: {{split: 0.1}}\n"),
    (
        "a choice without effect",
        f"{BASE}schedule:\n  priority: 1\n  at_close: stop\n",
        f"{BASE}schedule:\n  priority: 1\n",
    ),
    (
        "no space behind a colon",
        f"{BASE}training:\n  packing: true\n  seed:1\n",
        f"{BASE}training:\n  packing: true\n  seed: 1\n",
    ),
    ("no colon", f"{BASE.replace('datasets:', 'datasets')}name: x\n", f"{BASE}name: x\n"),
    ("no space behind a dash", BASE.replace("- path", "-path"), BASE),
    ("no-break spaces", BASE.replace("  base", "\u00a0\u00a0base"), BASE),
    ("a text in typographic quotes", BASE.replace("org/m", "“org/m”"), BASE),
    (
        "a line indented too far",
        f"{BASE}training:\n  seed: 1\n     packing: true # why\n  batch_size: 2\n",
        f"{BASE}training:\n  seed: 1\n  packing: true # why\n  batch_size: 2\n",
    ),
    (
        "a line not indented enough",
        f"{BASE}training:\n  seed: 1\n packing: true\n",
        f"{BASE}training:\n  seed: 1\n  packing: true\n",
    ),
    (
        "a section with its lines beside the last column",
        f"{BASE} training:\n   seed: 1\n   # why\n   packing: true\n",
        f"{BASE}training:\n  seed: 1\n  # why\n  packing: true\n",
    ),
    (
        "the second key of a list's entry",
        f"{BASE}   weight: 2\n",
        f"{BASE}    weight: 2\n",
    ),
    (
        "a list's entry under its key's value",
        f"{BASE}    weight: 2\n      format: auto\n",
        f"{BASE}    weight: 2\n    format: auto\n",
    ),
]


VALUES = [
    ("compute.device", "gpu", "cuda"),
    ("model.quantization", "4", "nf4"),
    ("model.quantization", "8bit", "int8"),
    ("model.dtype", "fp16", "float16"),
    ("model.dtype", "“bfloat16”", "bfloat16"),
    ("method.type", "Full-Finetune", "full"),
    ("training.max_length", "4k", "4096"),
    ("training.max_length", "2048 tokens", "2048"),
    ("training.max_length", "\uff14\uff10\uff19\uff16", "4096"),
    ("training.max_steps", "2k", "2000"),
    ("training.max_steps", "1.5K", "1500"),
    ("training.learning_rate", "2.0e\u22124", "2.0e-4"),
    ("training.learning_rate", "“2e-4”", "2.0e-4"),
    ("training.packing", "true,", "true"),
    ("training.packing", "ture", "true"),
    ("training.packing", "disabled", "false"),
    ("training.seed", "1# mine", "1  # mine"),
    ("training.seed", "1 // mine", "1  # mine"),
    ("schedule.window", "22:00 – 6:00", '"22:00-06:00"'),
    ("schedule.window", "10pm-6:30am", '"22:00-06:30"'),
    ("schedule.window", "9 to 17", '"09:00-17:00"'),
    ("schedule.not_before", "2199-12-24", '"2199-12-24T00:00"'),
    ("schedule.not_before", "24.12.2199 22:15", '"2199-12-24T22:15"'),
]


@pytest.mark.parametrize(("path", "bad", "good"), VALUES, ids=[f"{path}-{bad}" for path, bad, _ in VALUES])
def test_A13_a_value_is_mended_to_what_was_most_likely_meant(path: str, bad: str, good: str) -> None:
    section, _, key = path.partition(".")
    start = BASE if section == "model" else f"{BASE}{section}:\n"
    before, after = (
        start.replace("org/m\n", f"org/m\n  {key}: {value}\n") if section == "model" else f"{start}  {key}: {value}\n"
        for value in (bad, good)
    )
    (finding,) = check_text(before)
    assert apply(before, finding.fixes[0]) == after


NO_MEANING = [
    ("model.quantization", "gptq"),
    ("compute.device", "xpu"),
    ("training.optimizer", "lion"),
    ("schedule.window", "22:00-22:00:99x"),
    ("schedule.window", "25pm-6am"),
    ("schedule.not_before", "2199-02-30"),
    ("schedule.not_before", "2199-12-24T22:00Z"),
]


@pytest.mark.parametrize(("path", "bad"), NO_MEANING, ids=[f"{path}-{bad}" for path, bad in NO_MEANING])
def test_a_value_that_means_nothing_here_is_not_taken_for_its_neighbour(path: str, bad: str) -> None:
    section, _, key = path.partition(".")
    text = f"{BASE}{section}:\n  {key}: {bad}\n"
    text = text if section != "model" else BASE.replace("org/m\n", f"org/m\n  {key}: {bad}\n")
    assert [fix.title for finding in check_text(text) for fix in finding.fixes if "default" not in fix.title] == []


@pytest.mark.parametrize(("before", "after"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_A13_the_first_fix_repairs(before: str, after: str) -> None:
    finding = check_text(before)[0]
    assert apply(before, finding.fixes[0]) == after
    assert check_text(after) == []


def test_missing_data_is_filled_with_a_file_that_exists_or_not_at_all() -> None:
    text = "version: 1\nmodel:\n  base: org/m\n"
    document = parse(SourceText(text))
    (known,) = check_document(document, CheckContext(folder=__file__, data_files=("data/train.jsonl",)))
    assert apply(text, known.fixes[0]) == f"{text}datasets:\n  - path: data/train.jsonl\n"
    (unknown,) = check_document(document, CheckContext(folder=__file__))
    assert unknown.fixes == []


def test_a_value_that_others_share_by_an_alias_is_not_changed_behind_their_back() -> None:
    text = (
        f"{BASE}evaluation:\n  split: 0.1\n  every_steps: &n 10\ncheckpoint:\n  every_steps: 5\n  keep: *n\n"
        "method:\n  dropout: *n\n"
    )
    (finding,) = check_text(text)
    assert (finding.code, finding.fixes) == ("PW103", [])


def test_a_key_that_the_target_has_already_is_not_moved_there() -> None:
    finding = next(f for f in check_text(f"{BASE}lora_r: 8\nmethod:\n  r: 4\n") if f.code == "PW110")
    assert finding.fixes == []


def test_a_key_with_several_homes_is_moved_only_where_it_was_meant() -> None:
    base = BASE.replace("base: org/m", "base: org/m\n  batch_size: 4")
    evaluated = "evaluation:\n  split: 0.1\n"
    in_training, in_evaluation = "Move to training as `batch_size`", "Move to evaluation as `batch_size`"
    offered = {
        text: [fix.title for fix in check_text(base + text)[0].fixes[:-1]]
        for text in ("", evaluated, "training:\n  batch_size: 2\n", "training:\n  batch_size: 2\n" + evaluated)
    }
    assert list(offered.values()) == [[in_training], [in_training, in_evaluation], [], []]


def test_a_misspelt_key_is_deleted_only_where_the_right_one_stands() -> None:
    (misspelt,) = check_text(f"{BASE}evaluation:\n  daatsets: 3\n  every_steps: 10\n")
    assert misspelt.fixes == []
    (again,) = check_text(f"{BASE}training:\n  learning_rate: 1.0e-4\n  learning_rat: 1.0e-4\n")
    assert [fix.title for fix in again.fixes] == ["Delete `learning_rat`"]


def test_a_key_is_not_moved_where_comments_about_its_section_would_be_lost() -> None:
    (finding,) = check_text(f"{BASE}method: # as in May\n  seed: 7 # the usual one\n")
    assert [fix.title for fix in finding.fixes] == ["Delete `seed`"]


def test_a_share_is_not_held_out_beside_datasets_for_evaluation() -> None:
    (finding,) = check_text(f"{BASE}training:\n  split: 0.1\n  seed: 1\nevaluation:\n  datasets:\n    - path: org/e\n")
    assert "Move to evaluation as `split`" not in [fix.title for fix in finding.fixes]


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        ("at_close: finish\n", ["Delete `at_close`"]),
        (
            "at_close: finish\nschedule: {window: 22:00-06:00}\n",
            ["Move to schedule as `at_close`", "Delete `at_close`"],
        ),
        ("num_train_epochs: 3\ntraining: {max_steps: 9}\n", ["Delete `num_train_epochs`"]),
        ("num_train_epochs: 3\n", ["Move to training as `num_epochs`"]),
        ("double_quantization: true\n", ["Delete `double_quantization`"]),
        ("dropout: 0.1\nmethod: {type: full, }\n", ["Delete `dropout`"]),
    ],
)
def test_a_key_is_not_moved_to_where_it_would_mean_nothing(text: str, titles: list[str]) -> None:
    (finding,) = [finding for finding in check_text(BASE + text) if finding.code in ("PW101", "PW110")]
    assert [fix.title for fix in finding.fixes] == titles


def test_the_keys_whose_default_follows_from_the_method_are_known() -> None:
    computed = {
        path
        for method in get_args(MethodType)
        for layer in layers_of({"method": {"type": method, "r": 4}}, None)
        if layer.origin == "computed"
        for path, _ in leaves(layer.values)
    }
    assert computed == set(DEFAULTS_OF_THE_METHOD)


@pytest.mark.parametrize("name", ["zzyzx", "learning_rat", "lr"])
def test_a_wrong_key_that_stands_twice_is_first_made_one(name: str) -> None:
    wrong, again = check_text(f"{BASE}training:\n  {name}: 1.0e-4\n  seed: 1\n  {name}: 1.0e-4\n")
    assert (again.code, wrong.fixes) == ("PW106", [])
    assert [fix.title for fix in again.fixes] == [f"Delete this `{name}`"]
