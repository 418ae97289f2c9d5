"""`peftw runs export` and `import` that are given up in the middle, by Ctrl-C and by an order to end."""

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from peft_engine.home import runs_dir
from peft_engine.rundir import RunDirectory
from tests.large_run import make_large_run
from tests.waiting import PATIENCE, wait_until

ENDS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


class Command:
    """`peftw runs …` at work."""

    def __init__(self, *arguments: str | Path) -> None:
        self.process = subprocess.Popen(
            [Path(sys.executable).with_name("peftw"), "runs", *arguments], stderr=subprocess.PIPE, text=True
        )

    def reads(self, file: Path) -> None:
        """Wait until it has opened a file."""
        here = psutil.Process(self.process.pid)
        wait_until(lambda: str(file) in {one.path for one in here.open_files()}, process=self.process)

    def has_begun(self, folder: Path, pattern: str) -> None:
        """Wait until there is a file of its making."""
        wait_until(lambda: any(path.stat().st_size for path in folder.glob(pattern)), process=self.process)

    def told_to_end(self, number: signal.Signals) -> str:
        """Tell it to end, and return what it says."""
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=PATIENCE)
        assert self.process.returncode == 130, said
        return said


@pytest.mark.parametrize("number", ENDS)
@pytest.mark.parametrize("moment", ["hashing", "writing"])
def test_H8_an_export_that_is_given_up_says_so_and_leaves_no_file(
    home: Path, tmp_path: Path, number: signal.Signals, moment: str
) -> None:
    run, bundle = make_large_run(), tmp_path / "large.tar.gz"
    export = Command("export", run.id, bundle)
    if moment == "hashing":
        export.reads(run.adapter / "optimizer.bin")
    else:
        export.has_begun(tmp_path, ".large.tar.gz.making")
    assert export.told_to_end(number) == f"The export of demo-1 was cancelled; {bundle} was not written.\n"
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A large run, exported."""
    folder = tmp_path_factory.mktemp("large")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PEFTW_HOME", str(folder / "away"))
        run: RunDirectory = make_large_run()
        export = Command("export", run.id, folder / "large.tar.gz")
        assert export.process.wait(PATIENCE) == 0
    return folder / "large.tar.gz"


@pytest.mark.parametrize("number", ENDS)
def test_H8_an_import_that_is_given_up_says_so_and_leaves_nothing(
    home: Path, large: Path, number: signal.Signals
) -> None:
    import_ = Command("import", large)
    import_.has_begun(runs_dir(), ".importing-*/adapter/optimizer.bin")
    assert import_.told_to_end(number) == f"The import of {large} was cancelled; nothing of it was kept.\n"
    assert list(runs_dir().iterdir()) == []
