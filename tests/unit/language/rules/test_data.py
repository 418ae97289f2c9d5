"""Datasets, against what their files hold."""

import pytest

from peft_daemon.language.context import CheckContext, FileFact
from peft_engine.facts import DatasetFact
from peft_schemas.findings import Position
from tests.unit.language.rules.marked import BASE, Case, findings

TEXT = ("text",)
CHAT = ("messages",)


def knows(*args, **facts) -> CheckContext:
    return CheckContext(datasets={"org/d": DatasetFact(*args, **facts)}, files={"org/d": FileFact("present")})


HUNDRED = knows(100, "text", TEXT)
EVALUATED = "evaluation:\n  datasets:\n    - path: "

CASES = [
    Case(
        "PW601",
        "of the evaluation",
        f"{BASE}{EVALUATED}«e.jsonl»\n",
        CheckContext(files={"e.jsonl": FileFact("missing")}),
    ),
    Case("PW601", "there", BASE, CheckContext(files={"org/d": FileFact("present")})),
    Case("PW602", "folder", BASE.replace("org/d", "«org/d»"), CheckContext(files={"org/d": FileFact("folder")})),
    Case("PW602", "blank lines alone", BASE.replace("org/d", "«org/d»"), knows(0, None, ())),
    Case("PW602", "a file", BASE, CheckContext(files={"org/d": FileFact("present")})),
    Case("PW603", "line 3", BASE.replace("org/d", "«org/d»"), knows(None, "text", TEXT, "Line 3 is no JSON.", 3)),
    Case("PW603", "readable", BASE, HUNDRED),
    Case(
        "PW604",
        "misspelt",
        f"{BASE}    columns: {{prompt: «questoin», completion: answer}}\n",
        knows(9, None, ("question", "answer")),
    ),
    Case(
        "PW604",
        "there",
        f"{BASE}    columns: {{prompt: question, completion: answer}}\n",
        knows(9, "prompt-completion", ("question", "answer")),
    ),
    Case("PW604", "columns not known", f"{BASE}    columns: {{text: body}}\n"),
    Case("PW605", "another format", f"{BASE}    format: «messages»\n", knows(9, "alpaca", ("instruction", "output"))),
    Case("PW605", "no format", BASE.replace("org/d", "«org/d»"), knows(9, None, ("a", "b"))),
    Case("PW605", "one of two that fit", f"{BASE}    format: text\n", knows(9, "messages", ("messages", "text"))),
    Case("PW605", "mapped", f"{BASE}    format: text\n    columns: {{text: body}}\n", knows(9, "text", ("body",))),
    Case("PW606", "copies", BASE.replace("org/d", "«org/d»"), knows(100, "text", TEXT, duplicates=2)),
    Case("PW606", "no copies", BASE, HUNDRED),
    Case("PW607", "open bracket", f"{BASE}    split: «'train[:10%'»\n"),
    Case("PW607", "beyond the records", f"{BASE}    split: «'[:101]'»\n", HUNDRED),
    Case("PW607", "beyond the whole", f"{BASE}    split: «'train[:110%]'»\n"),
    Case("PW607", "backwards", f"{BASE}    split: «'[50:20]'»\n"),
    Case("PW607", "not in a file", f"{BASE}    split: «test»\n", HUNDRED),
    Case("PW607", "all records", f"{BASE}    split: '[0:100]'\n", HUNDRED),
    Case("PW607", "the last ones", f"{BASE}    split: 'train[-10%:]'\n", HUNDRED),
    Case("PW607", "several", f"{BASE}    split: 'train[:10%]+train[90%:]'\n", HUNDRED),
    Case("PW607", "on the hub", f"{BASE}    split: test\n"),
    Case("PW608", "too few", f"{BASE}training: {{batch_size: «128»}}\n", HUNDRED),
    Case("PW608", "accumulated", f"{BASE}training: {{batch_size: 8, gradient_accumulation_steps: «16»}}\n", HUNDRED),
    Case("PW608", "just enough", f"{BASE}training: {{batch_size: 4, gradient_accumulation_steps: 25}}\n", HUNDRED),
    Case(
        "PW608",
        "held out",
        f"{BASE}training: {{gradient_accumulation_steps: «25»}}\nevaluation: {{split: 0.1}}\n",
        HUNDRED,
    ),
    *(
        Case("PW608", f"a weight of {weight}", f"{BASE}    weight: {weight}\ntraining: {{batch_size: 128}}\n", HUNDRED)
        for weight in (".nan", ".inf", "-1", "0", "true", "9" * 400)
    ),
    Case("PW608", "not counted", f"{BASE}training: {{batch_size: 128}}\n", knows(None, "text", TEXT)),
    Case("PW609", "the same", f"{BASE}{EVALUATED}«org/d»\n", related="org/d"),
    Case("PW609", "by another spelling", f"{BASE}{EVALUATED}«./org/d»\n"),
    Case("PW609", "another part", f"{BASE}{EVALUATED}org/d\n      split: '[:10]'\n"),
    Case("PW610", "twice", f"{BASE}  - path: «org/d»\n    weight: 2\n", related="org/d"),
    Case("PW610", "two parts", f"{BASE}    split: '[:10]'\n  - path: org/d\n    split: '[10:]'\n"),
    Case("PW611", "text", f"{BASE}    format: text\ntraining:\n  «completion_only_loss»: true\n"),
    Case("PW611", "recognised", f"{BASE}training:\n  «completion_only_loss»: true\n", HUNDRED),
    Case("PW611", "by default", f"{BASE}    format: text\n"),
    Case(
        "PW611",
        "beside conversations",
        f"{BASE}  - {{path: a, format: messages}}\ntraining: {{completion_only_loss: true}}\n",
    ),
    Case("PW903", "on the hub", BASE.replace("org/d", "«org/d»"), CheckContext(files={"org/d": FileFact("elsewhere")})),
    Case("PW903", "a file", BASE, HUNDRED),
    Case("PW904", "DoRA", f"{BASE}method:\n  type: «dora»\n"),
    Case("PW904", "whole modules", f"{BASE}method:\n  «modules_to_save»: [lm_head]\n"),
    Case("PW904", "no whole modules", f"{BASE}method:\n  modules_to_save: []\n"),
    Case("PW904", "a whole model", f"{BASE}method:\n  type: full\n  modules_to_save: [lm_head]\n"),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_A8_data_that_is_not_what_the_config_says_is_found(case: Case) -> None:
    case.holds()


def test_A8_faults_are_found_in_each_entry_of_a_long_list() -> None:
    listed = "".join(f"  - path: data/{i}.jsonl\n" for i in range(60))
    states = {f"data/{i}.jsonl": "missing" if i % 20 == 3 else "present" for i in range(60)}
    known = CheckContext(files={path: FileFact(state) for path, state in states.items()})
    text = f"version: 1\nmodel:\n  base: m\ndatasets:\n{listed}"
    starts = [(finding.code, finding.range.start) for finding in findings(text, known)]
    assert starts == [("PW601", Position(line=4 + i, character=10)) for i in (3, 23, 43)]
