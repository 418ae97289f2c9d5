import os
import subprocess
import sys

import pytest

from peft_engine.training.process import suited

OURS = "glibc.malloc.hugetlb=1"


def test_what_somebody_chose_stays():
    given = {"OMP_WAIT_POLICY": "ACTIVE", "GLIBC_TUNABLES": "glibc.malloc.hugetlb=2", "HOME": "/x"}
    assert suited(given) == {**given, "GOMP_SPINCOUNT": "2000"}


@pytest.mark.skipif(sys.platform != "linux", reason="only there is glibc")
def test_other_choices_for_the_allocator_stay_beside_ours():
    given = {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"}
    assert suited(given)["GLIBC_TUNABLES"] == f"glibc.malloc.tcache_count=0:{OURS}"
    assert suited(suited(given)) == suited(given)


def test_a_process_begins_anew_with_its_arguments_and_is_the_same_to_its_parent():
    code = (
        "import os, sys; from peft_engine.training.process import begin_suited; print(os.getpid(), flush=True);"
        "begin_suited(); print(os.environ.get('GOMP_SPINCOUNT'), sys.argv[1:], sys.flags.safe_path)"
    )
    environment = {name: value for name, value in os.environ.items() if name not in suited({})}
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", code, "a run"], stdout=subprocess.PIPE, text=True, env=environment
    )
    told, _ = process.communicate(timeout=60)
    assert told.splitlines() == [str(process.pid)] * 2 + ["2000 ['a run'] True"]


def test_a_process_that_is_suited_goes_on():
    code = "import os; from peft_engine.training.process import begin_suited; begin_suited(); print('once')"
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True, env=suited(os.environ)
    ).stdout
    assert told == "once\n"
