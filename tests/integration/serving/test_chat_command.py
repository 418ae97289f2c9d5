"""`peftw chat` and `peftw serve` as a user and a script have them, with the real model."""

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from peft_daemon.serving import endpoint
from tests.integration.serving.homes import BASE, Served

pytestmark = pytest.mark.model
Peftw = Callable[..., "subprocess.CompletedProcess[str]"]
QUESTION = "What is the capital of France?"
SHORT = ("--max-tokens", "12", "--prompt", QUESTION)


@pytest.fixture
def peftw(served: Served) -> Peftw:
    """Run the installed command in the served home."""

    def run(*arguments: str, stdin: str | None = None) -> "subprocess.CompletedProcess[str]":
        command = [str(Path(sys.executable).with_name("peftw")), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=300, input=stdin)

    return run


def test_the_command_and_the_api_give_equal_texts(peftw: Peftw, served: Served) -> None:
    for model in (BASE, served.first):
        answer = json.loads(peftw("chat", "--model", model, *SHORT, "--json").stdout)
        assert answer["text"] == served.say(model, QUESTION, max_tokens=12)
        assert answer["model"] == model
        assert answer["completion_tokens"] <= 12


def test_one_shot_prints_the_answer_and_nothing_else_on_stdout(peftw: Peftw, served: Served) -> None:
    done = peftw("chat", "--model", "first-1", *SHORT)

    assert done.returncode == 0
    assert done.stdout == served.say(served.first, QUESTION, max_tokens=12) + "\n"
    assert "tokens/s" in done.stderr


def test_a_prompt_comes_through_a_pipe(peftw: Peftw, served: Served) -> None:
    done = peftw("chat", "--model", BASE, "--max-tokens", "12", stdin=QUESTION)

    assert done.stdout == served.say(BASE, QUESTION, max_tokens=12) + "\n"


def test_compare_asks_base_and_adapter_the_same(peftw: Peftw, served: Served) -> None:
    compared = json.loads(peftw("chat", "--compare", "--model", "second-1", *SHORT, "--json").stdout)

    assert compared["base"]["text"] == served.say(BASE, QUESTION, max_tokens=12)
    assert compared["adapter"]["text"] == served.say(served.second, QUESTION, max_tokens=12)
    assert compared["base"]["text"] != compared["adapter"]["text"]
    plain = peftw("chat", "--compare", "--model", "second-1", *SHORT).stdout
    assert compared["base"]["text"] in plain
    assert compared["adapter"]["text"] in plain


class Terminal:
    """The command on a terminal of its own, as a person has it."""

    def __init__(self, *arguments: str) -> None:
        master, slave = pty.openpty()
        command = [str(Path(sys.executable).with_name("peftw")), *arguments]
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
        os.close(slave)
        self._master = master
        self._shown = ""

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def until(self, words: str) -> str:
        """Return what is shown up to the end of some words that have not been asked for yet."""
        while words not in self._shown:
            try:
                self._shown += os.read(self._master, 4096).decode(errors="replace")
            except OSError as gone:  # how a terminal on Linux tells that its program has ended
                raise AssertionError(self._shown) from gone
        before, _, self._shown = self._shown.partition(words)
        return before + words

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)


@pytest.fixture
def terminal(served: Served) -> Iterator[Terminal]:
    one = Terminal("chat", "--model", served.first, "--max-tokens", "4000")
    yield one
    one.close()


def test_I3_a_conversation_is_stopped_forgotten_and_left(terminal: Terminal) -> None:
    terminal.until("/exit leaves.")
    terminal.until("> ")
    terminal.type("/help\n")
    terminal.until("There is no /help: /reset forgets")
    terminal.until("> ")
    terminal.type("Tell me a very long story.\n")
    terminal.until("waiting for the model")
    os.killpg(terminal.process.pid, signal.SIGINT)
    terminal.until("stopped")
    terminal.until("> ")
    terminal.type("/reset\n")
    terminal.until("forgotten")
    terminal.type("/exit\n")
    assert terminal.process.wait(60) == 0


@pytest.mark.parametrize("named", [True, False])
def test_adapters_are_chosen_as_the_api_takes_them(peftw: Peftw, served: Served, named: bool) -> None:
    ids = {name: f"{BASE}:{name}" for name in ("first-1@0.5", "first-1+second-1@0.5")}
    for name, model in ids.items():
        done = peftw("chat", "--model", name if named else model, *SHORT)
        assert done.stdout == served.say(model, QUESTION, max_tokens=12) + "\n", done.stderr
    compared = json.loads(peftw("chat", "--compare", "--model", ids["first-1+second-1@0.5"], *SHORT, "--json").stdout)
    assert compared["base"]["text"] == served.say(BASE, QUESTION, max_tokens=12)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--model", "nope", "--prompt", "x"), 1, "There is no model nope"),
        (("--model", "first-1@3", "--prompt", "x"), 1, "which is no number from 0 to 2"),
        (("--model", "/", "--prompt", "x"), 1, "peftw models add /"),
        (("--compare", "--model", BASE, "--prompt", "x"), 1, "nothing to compare"),
        (("--model", BASE, "--prompt", "many words " * 6000), 1, "context holds 8,192"),
        (("--model", BASE, "--prompt", "x", "--temperature", "9"), 2, "--temperature"),
    ],
)
def test_bad_use_is_one_sentence(peftw: Peftw, arguments: tuple[str, ...], code: int, words: str) -> None:
    done = peftw("chat", *arguments)

    assert done.returncode == code
    assert words in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_serve_attaches_to_what_runs(peftw: Peftw, served: Served) -> None:
    done = peftw("serve", "--json", "--detach")
    line = json.loads(done.stdout)

    assert line == {"url": served.record.url, "token": served.record.token, "pid": served.record.pid}
    assert "running already" in done.stderr
    assert json.loads(peftw("serve", "status", "--json").stdout)["pid"] == served.record.pid
    assert endpoint.find() == served.record


def test_serve_at_another_port_than_what_runs_is_a_sentence(peftw: Peftw, served: Served) -> None:
    other = served.record.port + 1 if served.record.port < 65535 else 1024
    done = peftw("serve", "--port", str(other))

    assert done.returncode == 1
    assert f"on port {served.record.port}" in done.stderr
    assert "peftw serve stop" in done.stderr
