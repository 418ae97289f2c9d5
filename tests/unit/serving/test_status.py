"""What `peftw serve status` says where no process runs."""

from pathlib import Path

from typer.testing import CliRunner

from peft_daemon.cli.serve import app
from peft_daemon.serving import endpoint
from peft_engine.serve_record import ServeRecord, read_serve_record, write_serve_record

DEAD = ServeRecord(pid=2**22 + 1, started=1.0, port=4711, url="http://127.0.0.1:4711/v1", token="t", version="0")


def said(*arguments: str) -> str:
    done = CliRunner().invoke(app, list(arguments))
    assert done.exit_code == 0, done.output
    return " ".join(done.output.split())


def test_one_that_was_never_started_is_stopped(home: Path) -> None:
    assert said("status") == "stopped"


def test_one_that_crashed_is_told_of_until_somebody_stops_it(home: Path) -> None:
    write_serve_record(DEAD)

    assert said("status").startswith("error The inference process ended without a word. Start it again")
    assert '"state":"error"' in said("status", "--json")
    assert endpoint.status().state == "stopped"
    assert said("stop") == "Nothing was running."
    assert said("status") == "stopped"
    assert read_serve_record() is None
