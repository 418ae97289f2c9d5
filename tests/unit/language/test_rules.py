"""Each rule: a text, the codes that must be found, and the exact characters, with the caret marking them."""

import json
from pathlib import Path

import pytest

from peft_daemon.language.check import check_document, check_text
from peft_daemon.language.context import CheckContext, FileFact
from peft_daemon.language.rules.registry import FAMILIES, rules
from peft_daemon.language.world.gather import gather
from peft_engine.config.document import parse
from peft_engine.config.text import SourceText
from tests.property.faults import apply

MODEL = "model:\n  base: org/m\n"
DATA = "datasets:\n  - path: org/d\n"
BASE = f"version: 1\n{MODEL}{DATA}"

TABLE = [
    # syntax
    ("PW001", "value with a colon", f"{BASE}name: a«:» b\n"),
    ("PW001", "unclosed quote", f"{BASE}name: «'abc»\n"),
    ("PW001", "unclosed bracket", f"{BASE}method: «{{r: 8»\n"),
    ("PW001", "line indented too far", f"{BASE}name: x\n   «seed»: 1\n"),
    ("PW001", "line between indentations", f"{BASE}training:\n    seed: 1\n  «packing»: true\n"),
    (
        "PW001",
        "key of a list entry at the dash",
        "version: 1\n" + MODEL + "datasets:\n  - path: org/d\n  «format»: auto\n",
    ),
    ("PW001", "forbidden start", f"{BASE}name: «@»x\n"),
    ("PW002", "key being typed", f"{BASE}training:\n  seed: 1\n  «batch»\n"),
    ("PW002", "key being typed between others", f"{BASE}training:\n  seed: 1\n  «batch»\n  packing: true\n"),
    ("PW003", "tab", f"version: 1\nmodel:\n«\t»base: org/m\n{DATA}"),
    ("PW004", "merge conflict", f"{BASE}«<<<<<<< HEAD»\nname: a\n=======\nname: b\n>>>>>>> theirs\n"),
    ("PW005", "undefined alias", f"{BASE}name: «*x»\n"),
    ("PW006", "custom tag", f"{BASE}name: «!env» X\n"),
    ("PW007", "merge of a number", f"{BASE}training:\n  <<: «3»\n  seed: 1\n"),
    ("PW007", "merge of a list within a list", f"{BASE}training:\n  <<: [{{seed: 1}}, «[a]»]\n"),
    ("PW007", "merge within a merge", f"{BASE}training:\n  <<: {{<<: «x», seed: 1}}\n"),
    ("PW007", "merge of a list of texts", f"{BASE}method: {{target_modules: &l [q]}}\ntraining: {{<<: «*l»}}\n"),
    ("PW101", "typo in a merged mapping", f"{BASE}training:\n  <<: {{«sed»: 1, packing: true}}\n  max_steps: 9\n"),
    ("PW102", "text for a number in a merged mapping", f"{BASE}method: {{<<: [{{r: «eight»}}], type: lora}}\n"),
    ("PW106", "repeated key in a merged mapping", f"{BASE}method: {{<<: {{r: 8, «r»: 9}}}}\n"),
    ("PW101", "typo in what is merged into the root", f"<<: {{«nmae»: x}}\n{BASE}"),
    ("PW008", "NUL", f"{BASE}name: a«\x00»b\n"),
    ("PW008", "not UTF-8", f"{BASE}name: a«\ufffd»b\n"),
    ("PW009", "second document", f"{BASE}«---»\nname: x\n"),
    ("PW002", "no space behind a colon", f"{BASE}training:\n  seed: 1\n  «packing:true»\n"),
    ("PW002", "no space behind the first colon", f"{BASE}training:\n  «packing:true» # why\n  seed: 1\n"),
    ("PW002", "an equals sign", f"{BASE}training:\n  «seed = 1»\n  packing: true\n"),
    ("PW002", "a comment of another language", f"{BASE}«// why»\nname: x\n"),
    (
        "PW002",
        "no space behind a dash",
        f"version: 1\n{MODEL}datasets:\n  «-path: org/d»\n    weight: 2\n",
    ),
    ("PW011", "indented with no-break spaces", f"{BASE}training:\n«\u00a0\u00a0»seed: 1\n  packing: true\n"),
    ("PW011", "ideographic space", f"{BASE}training:\n «\u3000»seed: 1\n"),
    ("PW011", "no-break space behind a colon", f"{BASE}training:\n  seed:«\u00a0»1\n"),
    ("PW011", "no-break space before a colon", f"{BASE}training:\n  seed«\u00a0»: 1\n"),
    ("PW011", "no-break space behind a dash", f"version: 1\n{MODEL}datasets:\n  -«\u00a0»path: org/d\n"),
    ("PW011", "line of a no-break space", f"{BASE}«\u00a0»\nname: x\n"),
    # schema: keys
    ("PW101", "typo", f"{BASE}training:\n  «learning_rat»: 1.0e-4\n"),
    ("PW101", "typo behind emoji", f"{BASE}method: {{type: lora, # 😀\n  «rnak»: 8}}\n"),
    ("PW101", "path in one line", f"{BASE}«method.r»: 8\n"),
    ("PW101", "key of another section", f"{BASE}method:\n  type: lora\n  «seed»: 1\n"),
    ("PW101", "nothing like it", f"{BASE}«zzz»: 1\n"),
    ("PW101", "in a list entry", f"{BASE}    «fromat»: auto\n"),
    ("PW104", "section lacks a key", f"version: 1\n«model»:\n  dtype: auto\n{DATA}"),
    ("PW104", "root lacks a key", f"«version»: 1\n{MODEL}"),
    ("PW104", "list entry lacks a key", f"version: 1\n{MODEL}datasets:\n  - «format»: auto\n"),
    ("PW106", "repeated key", f"{BASE}name: a\n«name»: b\n"),
    ("PW110", "foreign key in its section", f"{BASE}method:\n  «lora_rank»: 8\n"),
    ("PW110", "foreign key at the root", f"{BASE}«micro_batch_size»: 8\n"),
    # schema: values
    ("PW102", "text for a number", f"{BASE}method:\n  r: «eight»\n"),
    ("PW102", "quoted number", f"{BASE}method:\n  r: «'8'»\n"),
    ("PW102", "YAML 1.1 boolean", f"{BASE}training:\n  packing: «yes»\n"),
    ("PW102", "fraction for a whole number", f"{BASE}method:\n  r: «1.5»\n"),
    ("PW101", "no width", f"{BASE}training:\n  «se\u200bed»: 1\n"),
    ("PW101", "of another tool, without an equivalent", f"{BASE}«output_dir»: out\n"),
    ("PW102", "mapping for a number", f"{BASE}method:\n  r: «{{a: 1}}»\n"),
    ("PW102", "number for a text", f"{BASE}name: «12»\n"),
    ("PW102", "number in a list of texts", f"{BASE}method:\n  target_modules: [q, «1»]\n"),
    ("PW103", "below", f"{BASE}method:\n  r: «0»\n"),
    ("PW103", "above", f"{BASE}training: {{max_length: «99999999»}}\n"),
    ("PW103", "not a number", f"{BASE}training:\n  learning_rate: «.nan»\n"),
    ("PW105", "misspelt choice", f"{BASE}method:\n  type: «lorra»\n"),
    ("PW107", "root is a list", "«- a»\n"),
    ("PW107", "root is a text", "«hello»\n"),
    ("PW107", "section is a text", f"version: 1\nmodel: «org/m»\n{DATA}"),
    ("PW107", "list is a text", f"version: 1\n{MODEL}datasets: «org/d»\n"),
    ("PW107", "entry is a text", f"version: 1\n{MODEL}datasets:\n  - «org/d»\n"),
    ("PW108", "later version", f"version: «2»\n{MODEL}{DATA}"),
    ("PW107", "missing space in a section of one key", f"{BASE}training:\n  «seed:1»\n"),
    ("PW107", "another dash", f"version: 1\n{MODEL}datasets:\n  «– path: org/d»\n"),
    ("PW108", "older version", f"version: «0»\n{MODEL}{DATA}"),
    ("PW108", "version between", f"version: «1.5»\n{MODEL}{DATA}"),
    ("PW108", "word for a version", f"version: «latest»\n{MODEL}{DATA}"),
    ("PW108", "version in flow style", "{version: «9», model: {base: org/m}, datasets: [{path: org/d}]}\n"),
    ("PW108", "quoted version", f"version: «'1'»\n{MODEL}{DATA}"),
    ("PW109", "name with a blank", f"{BASE}name: «my run»\n"),
    ("PW109", "window of one time", f"{BASE}schedule:\n  window: «12:30:45»\n"),
    ("PW111", "no value", f"{BASE}method:\n  «r»:\n"),
    ("PW111", "null", f"{BASE}method:\n  r: «null»\n"),
    ("PW111", "empty section", f"{BASE}«training»:\n"),
    ("PW102", "list for the name of a preset", f"{BASE}preset: «[]»\n"),
    ("PW102", "mapping for the name of a profile", f"{BASE}profile: «{{a: 1}}»\n"),
    ("PW112", "empty text", f'version: 1\nmodel:\n  base: «""»\n{DATA}'),
    ("PW112", "empty list", f"version: 1\n{MODEL}datasets: «[]»\n"),
    # support
]


@pytest.mark.parametrize(("code", "what", "marked"), TABLE, ids=[f"{code}-{what}" for code, what, _ in TABLE])
def test_A3_finds_exactly_this_at_exactly_these_characters(code: str, what: str, marked: str) -> None:
    start, end = marked.index("«"), marked.index("»") - 1
    text = marked.replace("«", "").replace("»", "")
    expected = SourceText(text).range(start, end)
    assert [(finding.code, finding.range) for finding in check_text(text)] == [(code, expected)]


@pytest.mark.parametrize("ending", ["\r\n", "\n", "\r"])
def test_line_ends_do_not_change_where_a_conflict_is_found(ending: str) -> None:
    text = f"{BASE}<<<<<<< HEAD\nname: a\n=======\nname: b\n>>>>>>> theirs\n".replace("\n", ending)
    (finding,) = check_text(text)
    assert (finding.code, finding.range.end.character) == ("PW004", len("<<<<<<< HEAD"))


@pytest.mark.parametrize("ending", ["\r\n", "\n", "\r"])
def test_line_ends_do_not_change_what_is_found(ending: str) -> None:
    text = f"{BASE}method:\n  r: 0\n  lora_alpha: 3\nbogus: [1\n".replace("\n", ending)
    found = [(finding.code, finding.range.start.line) for finding in check_text(text)]
    assert found == [("PW103", 6), ("PW110", 7), ("PW001", 8)]


def test_all_faults_of_a_file_are_found_at_once() -> None:
    text = (
        "version: 1\nmodel:\n  base: org/m\n  dtype: bf16\n  revison: main\n"
        "datasets:\n  - path: org/d\n    weight: -1\n"
        "training:\n  learning_rat: 1.0e-4\n  batch_size: four\n  seed: 1\n  seed: 2\nname: 'x\n"
    )
    codes = [finding.code for finding in check_text(text)]
    assert codes == ["PW105", "PW101", "PW103", "PW101", "PW102", "PW106", "PW001"]


@pytest.mark.parametrize(
    ("text", "code", "wanted"),
    [
        ("method:\n  lora_r: -4\n", "PW110", "a whole number, at least 1"),
        ("method:\n  alhpa: strong\n", "PW101", "a number, greater than 0"),
        ("lora_dropout: 2\n", "PW110", "a number, at least 0 and less than 1"),
    ],
)
def test_a_wrong_value_of_a_wrong_key_is_told_with_the_key(text: str, code: str, wanted: str) -> None:
    (finding,) = check_text(BASE + text)
    assert (finding.code, finding.fixes) == (code, [])
    assert f" It takes {wanted}" in finding.message


def test_a_fault_behind_an_alias_points_to_the_place_of_use_and_to_the_definition() -> None:
    text = f"{BASE}evaluation: {{split: 0.1}}\ncheckpoint: &e {{every_steps: 10}}\ntraining: *e\n"
    (finding,) = check_text(text)
    source = SourceText(text)
    assert finding.code == "PW101"
    assert finding.range == source.range(text.rindex("*e"), text.rindex("*e") + 2)
    assert finding.related[0].range.start == source.position(text.index("every_steps"))


def test_merge_keys_fill_what_is_not_written() -> None:
    text = f"{BASE}evaluation: &e {{every_steps: 10}}\ncheckpoint: {{<<: *e, keep: 1}}\n"
    assert [finding.code for finding in check_text(text)] == ["PW411"]
    assert parse(SourceText(text)).to_plain()["checkpoint"] == {"keep": 1, "every_steps": 10}


def test_a_key_that_is_merged_in_place_is_repaired_there_and_its_section_is_left() -> None:
    merges = "training:\n  <<: {lora_r: 8}\n  seed: 1\nmethod: {<<: {alhpa: 4}}\nschedule: {<<: {at_close: finish}}\n"
    titles = {finding.code: [fix.title for fix in finding.fixes] for finding in check_text(BASE + merges)}
    assert titles == {"PW110": [], "PW101": ["Rename to `alpha`"], "PW423": []}


def test_missing_keys_are_not_claimed_while_part_of_the_text_cannot_be_read() -> None:
    assert [finding.code for finding in check_text("version: 1\nmod")] == ["PW002"]


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("missing", "PW601"),
        ("folder", "PW602"),
        ("empty", "PW602"),
        ("unreadable", "PW602"),
        ("other-kind", "PW602"),
        ("elsewhere", "PW903"),
    ],
)
def test_a_dataset_that_is_not_there_is_named(state, code: str) -> None:
    text = f"version: 1\n{MODEL}datasets:\n  - path: data/trian.jsonl\n"
    context = CheckContext(files={"data/trian.jsonl": FileFact(state, ("data/train.jsonl",))})
    (finding,) = check_document(parse(SourceText(text)), context)
    assert (finding.code, finding.range.start.line, finding.range.start.character) == (code, 4, 10)
    assert [fix.edits[0].newText for fix in finding.fixes] == (["data/train.jsonl"] if state == "missing" else [])


def test_a_local_base_model_that_is_not_there_is_named() -> None:
    text = f"version: 1\nmodel: {{base: ./model}}\n{DATA}"
    context = CheckContext(files={"./model": FileFact("missing")})
    assert [finding.code for finding in check_document(parse(SourceText(text)), context)] == ["PW701"]


@pytest.mark.parametrize(
    "section",
    [
        "model:\n  @base: x\n",
        "model:\n  base: @x\n",
        "datasets:\n  - path: a: b\n",
        "datasets:\n  - @path: a\n",
        "method:\n  target_modules:\n    - @x\n",
        "method:\n  type:\n    @lora\n",
        "model:\n  base:\n    a: b: c\n",
        "? datasets\n: - path: a: b\n",
        "method:\n  r: &rank\n    @x\n  alpha: *rank\n",
        "method:\n  target_modules:\n    - q_proj\n    - @x\n",
        "method:\n  target_modules:\n    -\n      @x\n    - up_proj\n",
        "model:\n  base: !!str\n    @x\n",
    ],
)
def test_a_section_that_cannot_be_read_is_not_called_empty(section: str) -> None:
    assert [finding.code for finding in check_text(f"version: 1\n{section}")] == ["PW001"]


def test_a_key_without_a_value_is_named_beside_a_line_that_cannot_be_read() -> None:
    found = [finding.code for finding in check_text(f"{BASE}method:\n  r:\n  alpha: @x\nevaluation:\nname: a: b\n")]
    assert found == ["PW111", "PW001", "PW111", "PW001"]


def test_every_rule_is_described_and_finds_its_own_example() -> None:
    for rule in rules():
        assert rule.family in FAMILIES
        assert rule.summary.endswith(".")
        assert rule.advice.endswith(".")
        if not rule.example:  # there is no text at present that has the finding
            continue
        found = check_document(parse(SourceText(rule.example)), rule.known)
        assert rule.code in [finding.code for finding in found], rule.code


def test_no_message_is_more_than_one_plain_sentence() -> None:
    for _, _, marked in TABLE:
        for finding in check_text(marked.replace("«", "").replace("»", "")):
            assert finding.message[-1] in ".?"
            assert len(finding.message) < 200


def test_what_a_config_names_is_looked_up_beside_it(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "full.jsonl").write_text("{}\n")
    (tmp_path / "empty.csv").touch()
    (tmp_path / "notes.md").write_text("x")
    names = ["full.jsonl", "empty.csv", "notes.md", "data", "data/absent.jsonl", "org/d", "~/nowhere.txt", "a\0b.txt"]
    listed = "".join(f"  - path: {json.dumps(name)}\n" for name in names)
    document = parse(SourceText(f"version: 1\nmodel: {{base: ./data}}\ndatasets:\n{listed}"))
    context = gather(document, tmp_path / "x.peft.yaml")
    assert [context.files[name].state for name in names] == [
        "present", "empty", "other-kind", "folder", "missing", "elsewhere", "missing", "missing",
    ]  # fmt: skip
    assert context.files["./data"].state == "folder"
    assert context.data_files == ("empty.csv", "full.jsonl")
    assert gather(document, None).files == {}


def test_B26_a_later_version_is_said_to_be_later_and_is_not_made_ours() -> None:
    (finding,) = check_text(f"version: 2\n{MODEL}{DATA}")
    assert "later" in finding.message
    assert "update PEFT Workbench" in finding.message
    assert finding.fixes == []


@pytest.mark.parametrize("version", ["0", "-1", "1.0", "'1'", "v1", "true"])
def test_B26_what_is_no_version_or_an_earlier_one_is_mended_to_the_first(version: str) -> None:
    (finding,) = check_text(f"version: {version}\n{MODEL}{DATA}")
    (fix,) = finding.fixes
    assert finding.code == "PW108"
    assert check_text(apply(f"version: {version}\n{MODEL}{DATA}", fix)) == []


@pytest.mark.parametrize("odd", ["\u00a0", "\u3000", "\u2009"])
def test_odd_spaces_in_comments_and_quotes_are_nobody_s_business(odd: str) -> None:
    text = (
        f"version: 1 # a{odd}b:{odd}c\n#{odd}{odd}seed:{odd}1\n{MODEL}datasets:\n  - path: 'da{odd}ta.jsonl' #{odd}x\n"
    )
    assert check_text(text) == []
