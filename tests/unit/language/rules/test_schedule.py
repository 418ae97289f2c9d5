"""Steps, epochs, warm-up, evaluations and checkpoints, against each other and against the data."""

from datetime import date

import pytest

from peft_daemon.language.context import CheckContext
from peft_engine.facts import DatasetFact
from tests.unit.language.rules.marked import BASE, Case, findings

EVALUATED = f"{BASE}evaluation:\n  split: 0.1\n  every_steps: 10\n"
BEST = "checkpoint:\n  load_best: true\n"
TODAY = CheckContext(today=date(2026, 11, 22))


def records(count: int | None) -> CheckContext:
    return CheckContext(datasets={"org/d": DatasetFact(count, "text", ("text",))})


CASES = [
    Case("PW401", "both", f"{BASE}training:\n  warmup_ratio: «0.1»\n  warmup_steps: 10\n", related="10\n"),
    Case("PW401", "a share and no steps", f"{BASE}training:\n  warmup_ratio: 0.1\n  warmup_steps: 0\n"),
    Case("PW401", "the share alone", f"{BASE}training:\n  warmup_ratio: 0.1\n"),
    Case("PW401", "steps of the profile", f"profile: chatbot\n{BASE}training:\n  warmup_ratio: 0.1\n"),
    Case("PW402", "a tenth", f"{BASE}training:\n  warmup_steps: «0.1»\n"),
    Case("PW402", "whole steps", f"{BASE}training:\n  warmup_steps: 1\n"),
    Case("PW403", "as long", f"{BASE}training:\n  max_steps: 100\n  warmup_steps: «100»\n", related="100"),
    Case("PW403", "one step shorter", f"{BASE}training:\n  max_steps: 100\n  warmup_steps: 99\n"),
    Case("PW403", "all records", f"{BASE}training:\n  num_epochs: 2\n  warmup_steps: «20»\n", records(40)),
    Case("PW403", "more records", f"{BASE}training:\n  num_epochs: 2\n  warmup_steps: 20\n", records(41)),
    Case("PW403", "records not counted", f"{BASE}training:\n  num_epochs: 2\n  warmup_steps: 20\n", records(None)),
    Case("PW403", "packed", f"{BASE}training: {{packing: true, warmup_steps: 20, num_epochs: 2}}\n", records(40)),
    Case("PW404", "both", f"{BASE}training:\n  «num_epochs»: 3\n  max_steps: 100\n", related="100"),
    Case("PW404", "epochs by default", f"{BASE}training:\n  max_steps: 100\n"),
    Case("PW404", "epochs of the profile", f"profile: chatbot\n{BASE}training:\n  max_steps: 100\n"),
    Case("PW405", "constant", f"{BASE}training:\n  lr_scheduler: constant\n  «warmup_steps»: 10\n"),
    Case(
        "PW405", "constant_with_warmup", f"{BASE}training:\n  lr_scheduler: constant_with_warmup\n  warmup_steps: 10\n"
    ),
    Case(
        "PW410", "checkpoint", f"{BASE}training: {{max_steps: 20}}\ncheckpoint: {{every_steps: «21»}}\n", related="20"
    ),
    Case("PW410", "at the end", f"{BASE}training: {{max_steps: 20}}\ncheckpoint: {{every_steps: 20}}\n"),
    Case("PW410", "by default", f"{BASE}training: {{max_steps: 20}}\n"),
    Case("PW410", "a share", f"{BASE}training: {{max_steps: 20}}\ncheckpoint: {{every_steps: 0.5}}\n"),
    Case(
        "PW410",
        "evaluation",
        f"{BASE}training: {{max_steps: 20}}\nevaluation: {{split: 0.1, every_steps: «50»}}\n",
    ),
    Case("PW411", "cadence alone", f"{BASE}evaluation:\n  «every_steps»: 10\n"),
    Case("PW411", "batch alone", f"{BASE}evaluation:\n  «batch_size»: 2\n"),
    Case("PW411", "with a share", EVALUATED),
    Case("PW411", "with datasets", f"{BASE}evaluation:\n  every_steps: 10\n  datasets: [{{path: org/e}}]\n"),
    Case("PW411", "share of the profile", f"profile: chatbot\n{BASE}evaluation:\n  every_steps: 10\n"),
    Case("PW412", "both", f"{BASE}evaluation:\n  split: «0.1»\n  datasets: [{{path: org/e}}]\n", related="[{"),
    Case("PW412", "a share of nothing", f"{BASE}evaluation:\n  split: 0\n  datasets: [{{path: org/e}}]\n"),
    Case("PW413", "no evaluation", f"{BASE}checkpoint:\n  load_best: «true»\n"),
    Case("PW413", "evaluation", f"{EVALUATED}checkpoint: {{load_best: true, every_steps: 10}}\n"),
    Case("PW414", "no evaluation", f"{BASE}training:\n  early_stopping_patience: «3»\n"),
    Case("PW414", "evaluation", f"{EVALUATED}training:\n  early_stopping_patience: 3\n"),
    Case("PW415", "no multiple", f"{EVALUATED}checkpoint: {{every_steps: «15», load_best: true}}\n", related="10\n"),
    Case("PW415", "a multiple", f"{EVALUATED}checkpoint: {{every_steps: 30, load_best: true}}\n"),
    Case("PW415", "best not asked for", f"{EVALUATED}checkpoint: {{every_steps: 15}}\n"),
    Case(
        "PW415",
        "shares",
        f"{BASE}evaluation: {{split: 0.1, every_steps: 0.1}}\ncheckpoint: {{every_steps: 0.3, load_best: true}}\n",
    ),
    Case(
        "PW415",
        "shares that do not meet",
        f"{BASE}evaluation: {{split: 0.1, every_steps: 0.2}}\ncheckpoint: {{every_steps: «0.3», load_best: true}}\n",
    ),
    Case("PW415", "steps beside a share", f"{EVALUATED}checkpoint: {{every_steps: 0.3, load_best: true}}\n"),
    Case("PW416", "larger", f"{EVALUATED}  batch_size: «8»\ntraining: {{batch_size: 4}}\n", related="4}"),
    Case("PW416", "equal", f"{EVALUATED}  batch_size: 4\ntraining: {{batch_size: 4}}\n"),
    Case("PW420", "no length", f'{BASE}schedule:\n  window: «"22:00-22:00"»\n'),
    Case("PW420", "a minute", f"{BASE}schedule:\n  window: 22:00-22:01\n"),
    Case("PW420", "over midnight", f"{BASE}schedule:\n  window: 22:00-06:00\n  at_close: finish\n"),
    Case("PW421", "thirtieth of February", f"{BASE}schedule:\n  not_before: «2026-02-30T22:00»\n"),
    Case("PW421", "twenty-fifth hour", f"{BASE}schedule:\n  not_before: «2026-02-28T25:00»\n"),
    Case("PW421", "a leap day", f"{BASE}schedule:\n  not_before: 2028-02-29T22:00\n"),
    Case("PW422", "yesterday", f"{BASE}schedule:\n  not_before: «2026-11-21T23:59»\n", TODAY),
    Case("PW422", "today", f"{BASE}schedule:\n  not_before: 2026-11-22T00:00\n", TODAY),
    Case("PW422", "on an unknown day", f"{BASE}schedule:\n  not_before: 1999-01-01T00:00\n"),
    Case("PW422", "no moment", f"{BASE}schedule:\n  not_before: 1999-02-30T00:00\n", TODAY),
    Case("PW423", "no window", f"{BASE}schedule:\n  «at_close»: pause\n"),
    Case("PW423", "a window", f"{BASE}schedule:\n  at_close: pause\n  window: 22:00-06:00\n"),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_cadences_that_do_not_meet_are_found_where_they_stand(case: Case) -> None:
    case.holds()


def test_a_value_that_the_profile_brings_is_blamed_at_the_profile() -> None:
    text = f"profile: chatbot\n{BASE}training:\n  max_steps: 5\n"
    (finding,) = [one for one in findings(text) if one.code == "PW403"]
    assert finding.range.start.line == text[: text.index("max_steps")].count("\n")
    assert [related.message for related in finding.related] == ["`profile` brings training.warmup_steps: 10."]


def test_the_share_is_renamed_in_its_place() -> None:
    (finding,) = findings(f"{BASE}training:\n  warmup_steps: 0.1 # a tenth\n")
    assert finding.fixes[0].edits[0].newText == "warmup_ratio"
