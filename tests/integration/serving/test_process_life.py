"""How the inference process comes, stays alone, and goes."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from peft_daemon.serving import endpoint
from peft_daemon.serving.client import Answered, Delta, stream_chat
from peft_daemon.serving.launch import ensure_running
from peft_engine.process import ProcessIdentity
from peft_engine.serve_lock import serve_owner
from peft_engine.serve_record import ServeRecord, read_serve_record
from peft_schemas.chat import ChatMessage
from peft_schemas.errors import WorkbenchError
from tests.integration.serving.homes import BASE
from tests.waiting import wait_until

Starter = Callable[[], ServeRecord]
ENDLESS = [ChatMessage(role="user", content="What is the capital of France?")]
"""The base's most likely answer goes round in circles."""

HELLO = [ChatMessage(role="user", content="Hello!")]


async def say_hello() -> str:
    return "".join([event.text async for event in stream_chat(BASE, HELLO, max_tokens=4) if isinstance(event, Delta)])


def test_the_record_is_private_and_the_token_is_in_no_command_line_or_log(own_process: Starter, home: Path) -> None:
    record = own_process()

    assert stat.S_IMODE((home / "serve.json").stat().st_mode) == 0o600
    assert record.token not in " ".join(psutil.Process(record.pid).cmdline())
    assert record.token not in (home / "logs" / "serve.log").read_text()
    assert record.token not in repr(record)


def test_it_listens_on_loopback_alone(own_process: Starter) -> None:
    record = own_process()

    listening = [c.laddr.ip for c in psutil.Process(record.pid).net_connections("inet") if c.status == "LISTEN"]
    assert listening == ["127.0.0.1"]


def test_two_starters_at_once_get_one_process(own_process: Starter) -> None:
    records: list[ServeRecord] = []
    starters = [threading.Thread(target=lambda: records.append(ensure_running())) for _ in range(4)]
    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join()
    own_process()

    assert len({(record.pid, record.token) for record in records}) == 1
    assert len(records) == 4


def test_a_second_process_leaves_at_once(own_process: Starter, home: Path) -> None:
    own_process()

    second = subprocess.run(
        [sys.executable, "-P", "-m", "peft_engine.inference", "--home", str(home)],
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert second.returncode == 0
    assert "serves this user already" in second.stderr


@pytest.mark.model
async def test_after_kill_9_the_next_request_starts_it_again(own_process: Starter) -> None:
    before = own_process()
    os.kill(before.pid, signal.SIGKILL)
    wait_until(lambda: not before.identity.alive())

    assert endpoint.status().state == "stopped"
    assert await say_hello()
    after = endpoint.find()
    assert after is not None
    assert after.identity != before.identity
    assert (after.token, after.port) == (before.token, before.port)


@pytest.mark.model
async def test_a_crash_in_the_middle_of_an_answer_is_one_sentence(own_process: Starter) -> None:
    record = own_process()
    with pytest.raises(WorkbenchError, match="ended in the middle") as error:
        async for _ in stream_chat(BASE, ENDLESS):
            os.kill(record.pid, signal.SIGKILL)
    assert error.value.code == "serve-failed"
    assert await say_hello()


@pytest.mark.model
async def test_closing_a_stream_stops_its_computation(own_process: Starter) -> None:
    record = own_process()
    stream = stream_chat(BASE, ENDLESS)
    await anext(stream)
    await stream.aclose()

    def idle() -> bool:
        now = endpoint.ask(record)
        return now is not None and not any(model.active for model in now.models)

    wait_until(idle)


@pytest.mark.model
async def test_an_answer_ends_with_its_measures(own_process: Starter) -> None:
    own_process()
    events = [event async for event in stream_chat(BASE, HELLO, max_tokens=4)]

    end = events[-1]
    assert isinstance(end, Answered)
    assert end.completion_tokens == 4
    assert end.first_token_seconds is not None
    assert end.first_token_seconds > 0
    assert end.tokens_per_second is not None
    assert end.tokens_per_second > 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_makes_it_leave_and_clear_up(own_process: Starter, home: Path, number: signal.Signals) -> None:
    record = own_process()
    os.kill(record.pid, number)

    wait_until(lambda: not record.identity.alive())
    assert not (home / "serve.json").exists()
    assert serve_owner() is None


def test_shutdown_makes_it_leave(own_process: Starter) -> None:
    record = own_process()
    answer = httpx.post(f"{record.root}/shutdown", headers=endpoint.authorization(record), timeout=30)

    assert answer.status_code == 202
    wait_until(lambda: not record.identity.alive())
    assert endpoint.find() is None


@pytest.mark.model
async def test_told_to_stop_it_ends_an_answer_with_a_sentence(own_process: Starter) -> None:
    own_process()
    with pytest.raises(WorkbenchError) as error:
        async for _ in stream_chat(BASE, ENDLESS):
            endpoint.stop()
    assert error.value.code == "serve-failed"


def test_it_leaves_when_idle_and_health_does_not_count(own_process: Starter) -> None:
    record = ensure_running(idle_minutes=0.02)
    wait_until(lambda: endpoint.ask(record) is None and not record.identity.alive())

    assert endpoint.find() is None


def test_it_ends_with_the_process_it_was_started_for(own_process: Starter) -> None:
    parent = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    record = ensure_running(idle_minutes=0, parent=ProcessIdentity.of(parent.pid))
    parent.kill()
    parent.wait()

    wait_until(lambda: not record.identity.alive())


def test_I14_a_taken_port_is_one_sentence(own_process: Starter, home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(WorkbenchError, match=f"Port {port} on 127.0.0.1 is used") as error:
            ensure_running(port=port)

    assert error.value.code == "port-busy"
    assert not (home / "serve.json").exists()
    assert ensure_running(port=port).port == port


def test_a_stale_record_is_not_believed(own_process: Starter, home: Path) -> None:
    stale = ServeRecord(pid=1, started=1.0, port=9, url="http://127.0.0.1:9/v1", token="t", version="0")
    (home / "serve.json").write_text(stale.model_dump_json())

    assert endpoint.find() is None
    assert own_process().port != 9


class TestForeground:
    """`peftw serve` without --detach."""

    @pytest.fixture
    def serving(self, own_process: Starter) -> Iterator["subprocess.Popen[str]"]:
        peftw = str(Path(sys.executable).with_name("peftw"))
        process = subprocess.Popen([peftw, "serve", "--port", "0", "--json"], stdout=subprocess.PIPE, text=True)
        yield process
        process.kill()
        process.communicate()

    def first_line(self, process: "subprocess.Popen[str]") -> dict[str, object]:
        assert process.stdout is not None
        line = json.loads(process.stdout.readline())
        assert isinstance(line, dict)
        return line

    def test_it_prints_one_line_and_ends_its_process_on_ctrl_c(self, serving: "subprocess.Popen[str]") -> None:
        line = self.first_line(serving)
        record = read_serve_record()
        assert record is not None
        assert line == {"url": record.url, "token": record.token, "pid": record.pid}

        serving.send_signal(signal.SIGINT)

        assert serving.wait(60) == 0
        assert not record.identity.alive()

    def test_killed_it_takes_its_process_along(self, serving: "subprocess.Popen[str]") -> None:
        self.first_line(serving)
        record = read_serve_record()
        assert record is not None

        serving.kill()
        serving.wait(60)

        wait_until(lambda: not record.identity.alive())
