"""The end of the inference process's log."""

from pathlib import Path

from peft_daemon.serving.log import log_end


def test_before_the_first_start_it_says_so(home: Path) -> None:
    assert str(home) in log_end()
    assert "has not run yet" in log_end()


def test_a_short_log_is_shown_whole_whatever_its_bytes(home: Path) -> None:
    (home / "logs").mkdir()
    (home / "logs/serve.log").write_bytes(b"started\nbad \xff byte\n")
    assert log_end() == "started\nbad � byte\n"


def test_of_a_long_log_whole_lines_of_its_end_are_shown(home: Path) -> None:
    (home / "logs").mkdir()
    (home / "logs/serve.log").write_text("".join(f"line {number}\n" for number in range(100_000)))
    first, *rest = log_end().splitlines()
    assert first.endswith("serve.log has more")
    assert rest[-1] == "line 99999"
    assert all(line.startswith("line ") for line in rest)
