"""Where measurements are sent: an address that can be asked, without a password, of a tracker that is named."""

import pytest

from peft_daemon.language.context import CheckContext
from tests.unit.language.rules.marked import BASE, Case, findings


def tracker(*lines: str) -> str:
    return BASE + "tracker:\n" + "".join(f"  {line}\n" for line in lines)


STARTED = CheckContext(trackers={"http://h:1": True, "http://127.0.0.1:5000": True})
STOPPED = CheckContext(trackers={"http://h:1": False, "http://127.0.0.1:5000": False})
CASES = [
    Case("PW841", "no scheme", tracker("type: mlflow", "url: «localhost:5000»")),
    Case("PW841", "a folder", tracker("type: mlflow", "url: «./mlruns»")),
    Case("PW841", "another scheme", tracker("type: mlflow", "url: «file:///mlruns»")),
    Case("PW841", "no host", tracker("type: mlflow", "url: «http://:5000»")),
    Case("PW841", "a port that is none", tracker("type: mlflow", "url: «http://h:port»")),
    Case("PW841", "https", tracker("type: mlflow", "url: https://h.example/mlflow")),
    Case("PW841", "the default", tracker("type: mlflow")),
    Case("PW842", "a password", tracker("type: mlflow", "url: «https://me:pw@h.example»")),
    Case("PW842", "a name", tracker("type: mlflow", "url: «https://me@h.example»")),
    Case("PW842", "an at sign in the path", tracker("type: mlflow", "url: https://h.example/@me")),
    Case("PW843", "an address", tracker("«url»: http://h:1")),
    Case("PW843", "an experiment", tracker("type: none", "«experiment»: desk")),
    Case("PW843", "named", tracker("type: mlflow", "experiment: desk")),
    Case("PW844", "stopped", tracker("type: mlflow", "url: «http://h:1»"), STOPPED),
    Case("PW844", "stopped at the default", tracker("type: «mlflow»"), STOPPED),
    Case("PW844", "started", tracker("type: mlflow", "url: http://h:1"), STARTED),
    Case("PW844", "not tried", tracker("type: mlflow", "url: http://elsewhere:1"), STOPPED),
    Case("PW844", "not used", tracker("type: none", "url: http://h:1"), STOPPED),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_hinders_a_tracker_is_found(case: Case) -> None:
    case.holds()


def test_a_word_of_another_tool_for_the_method_is_none_for_the_tracker() -> None:
    (found,) = findings(tracker("type: fft"))
    assert [edit.newText for fix in found.fixes for edit in fix.edits if edit.newText == "full"] == []


def test_a_password_is_never_repeated() -> None:
    found = findings(tracker("type: mlflow", "url: https://me:hunter2@h.example"))
    assert "hunter2" not in "".join(finding.model_dump_json() for finding in found)
