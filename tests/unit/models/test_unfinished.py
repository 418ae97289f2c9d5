"""A conversion has the place that it writes in alone, and leaves nothing there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from peft_engine.models.unfinished import place_of_unfinished, remove_unfinished, unfinished
from peft_schemas.errors import WorkbenchError

_HOLDER = """
import sys, time
from pathlib import Path
from peft_engine.models.unfinished import unfinished
with unfinished(Path(sys.argv[1])) as place:
    (place / "half").write_bytes(b"half")
    print("ready", flush=True)
    time.sleep(600)
"""


def test_E25_a_second_conversion_to_the_same_output_is_refused_and_harms_no_first(tmp_path: Path) -> None:
    output = tmp_path / "x.gguf"
    with unfinished(output) as place:
        (place / "half").write_bytes(b"half")
        with pytest.raises(WorkbenchError) as error, unfinished(output):
            pass
        assert error.value.code == "conversion-active"
        remove_unfinished(output)
        assert (place / "half").read_bytes() == b"half"
        with unfinished(tmp_path / "other.gguf"):
            pass
    assert not list(tmp_path.iterdir())


def test_E25_what_a_killed_conversion_left_is_in_nobodys_way(tmp_path: Path) -> None:
    output = tmp_path / "x.gguf"
    child = subprocess.Popen([sys.executable, "-c", _HOLDER, str(output)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    with pytest.raises(WorkbenchError, match="by another conversion"), unfinished(output):
        pass
    child.kill()
    child.wait()
    child.stdout.close()
    assert (place_of_unfinished(output) / "half").exists()
    with unfinished(output) as place:
        assert not list(place.iterdir())
    assert not list(tmp_path.iterdir())


def test_a_link_in_the_place_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine").touch()
    place_of_unfinished(tmp_path / "x.gguf").symlink_to(elsewhere)
    with pytest.raises(OSError, match=os.strerror(20)), unfinished(tmp_path / "x.gguf"):
        pass
    remove_unfinished(tmp_path / "x.gguf")
    assert (elsewhere / "mine").exists()
