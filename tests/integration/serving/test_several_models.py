"""Several real bases in one inference process: within a budget, switched under load, loaded at the start, crashed."""

import asyncio
import json
import os
import plistlib
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

import httpx
import openai
import psutil
import pytest
import yaml

from peft_daemon.serving import control, endpoint
from peft_daemon.serving.launch import ensure_running
from peft_engine.serve_record import ServeRecord
from peft_schemas.errors import WorkbenchError
from peft_schemas.serving import ServeStatus
from tests.integration.serving.editor import Editor
from tests.waiting import wait_until

pytestmark = pytest.mark.model

CONTEXT = 256
QUESTION = [{"role": "user", "content": "What is the capital of France?"}]


@pytest.fixture
def models(home: Path, short_base: Path) -> Iterator[Path]:
    """Three small bases, `one`, `two` and `three`, declared in a home of their own; what serves them is stopped."""
    folder = home / "models"
    folder.mkdir(parents=True)
    for name in ("one", "two", "three"):
        os.link(short_base, folder / f"{name}.gguf")
        definition = {"model": f"{name}.gguf", "context_length": CONTEXT}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(definition))
    yield folder
    endpoint.stop()


def settings(home: Path, **serving: object) -> None:
    (home / "settings.yaml").write_text(yaml.safe_dump({"serving": serving}))


def client(record: ServeRecord) -> openai.OpenAI:
    return openai.OpenAI(base_url=record.url, api_key=record.token, timeout=300, max_retries=0)


def say(record: ServeRecord, model: str, *, max_tokens: int = 4) -> str:
    return answered(record, model, max_tokens=max_tokens)[0]


def answered(record: ServeRecord, model: str, *, max_tokens: int) -> tuple[str, str | None]:
    """Return which model is said to have answered, and what."""
    answer = client(record).chat.completions.create(
        model=model,
        messages=QUESTION,  # type: ignore[arg-type]
        temperature=0,
        max_tokens=max_tokens,
    )
    return answer.model, answer.choices[0].message.content


def status() -> ServeStatus:
    record = endpoint.find()
    assert record is not None
    now = endpoint.ask(record)
    assert now is not None
    return now


def test_I12_a_third_base_over_the_budget_unloads_the_one_unused_for_longest(models: Path, home: Path) -> None:
    record = ensure_running()
    for model in ("one", "two", "one"):
        assert say(record, model) == model
    size = status().memory_bytes / 2
    assert sorted(status().loaded) == ["one", "two"]
    endpoint.stop()

    settings(home, memory=f"{2.5 * size / 1e6:.0f} MB")
    record = ensure_running()
    for model in ("one", "two", "one", "three"):
        assert say(record, model) == model
        assert status().memory_bytes <= (status().memory_limit or 0)
    assert sorted(status().loaded) == ["one", "three"]


def test_a_base_over_the_budget_is_refused_with_the_numbers(models: Path, home: Path) -> None:
    settings(home, memory="5 MB")
    record = ensure_running()
    with pytest.raises(openai.APIStatusError, match=r"one takes about 0\.\d\d GB .* models may take 0\.\d\d GB"):
        say(record, "one")
    assert status().models[0].state == "error"
    assert endpoint.find() == record


def test_I13_twenty_switches_under_load_leave_no_gap(models: Path) -> None:
    # The same weights under another template, so that a text tells which of the two wrote it.
    other = {"model": "two.gguf", "context_length": CONTEXT, "prompt_format": "plain"}
    (models / "two.yaml").write_text(yaml.safe_dump(other))
    record = ensure_running()
    asyncio.run(control.switch("one"))
    own = {answered(record, model, max_tokens=4) for model in ("one", "two")}
    assert len({text for _, text in own}) == 2
    answers: list[tuple[str, str | None]] = []
    faults: list[Exception] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            try:
                answers.append(answered(record, "default", max_tokens=4))
            except Exception as error:
                faults.append(error)
                return

    askers = [threading.Thread(target=ask) for _ in range(3)]
    for asker in askers:
        asker.start()
    for number in range(20):
        chosen = ("two", "one")[number % 2]
        assert asyncio.run(control.switch(chosen)).model == chosen
        before = len(answers)
        wait_until(lambda: len(answers) > before or bool(faults))  # noqa: B023  (called at once)
    over.set()
    for asker in askers:
        asker.join()

    assert not faults
    assert set(answers) == own


def test_J8_a_bad_id_leaves_the_default_model_as_it_was(models: Path) -> None:
    asyncio.run(control.switch("two"))
    with pytest.raises(WorkbenchError) as error:
        asyncio.run(control.switch("no/such"))

    assert error.value.code == "model-missing"
    assert status().model == "two"


def test_I19_of_three_configured_models_a_broken_one_does_not_stop_the_rest(models: Path, home: Path) -> None:
    (models / "two.gguf").unlink()
    (models / "two.gguf").write_bytes(b"GGUF" + b"\xff" * 64)
    settings(home, load=["one", "two", "three"])
    ensure_running()
    wait_until(lambda: len(status().models) == 3 and not any(model.state == "loading" for model in status().models))

    now = status()
    states = {model.base: model.state for model in now.models}
    assert states == {"one": "ready", "two": "error", "three": "ready"}
    assert now.model == "one"
    cause = next(model.error for model in now.models if model.base == "two")
    assert cause is not None
    assert cause.message


def test_pinned_models_of_the_settings_are_loaded_and_stay(models: Path, home: Path) -> None:
    settings(home, pin=["one"], unload_minutes=0.001)
    record = ensure_running()
    wait_until(lambda: any(model.pinned and model.state == "ready" for model in status().models))
    say(record, "two")
    wait_until(lambda: status().loaded == ["one"])


def test_what_killed_the_process_at_its_start_is_not_loaded_by_the_next_one(models: Path, home: Path) -> None:
    settings(home, load=["one", "two"])
    (home / "serve-deaths").mkdir()
    (home / "serve-deaths" / "loading.json").write_text('["one"]')
    ensure_running()
    wait_until(lambda: "two" in status().loaded)

    assert failed() == {"one": "The inference process died while it loaded one."}
    assert asyncio.run(control.load("one")).state == "running"
    assert failed() == {}


def failed() -> dict[str, str]:
    return {model.base: model.error.message for model in status().models if model.error}


def test_what_kills_the_process_while_it_computes_is_tried_once_more_and_then_only_on_purpose(
    models: Path, home: Path
) -> None:
    settings(home, load=["one"])
    for _ in range(2):
        record = ensure_running()
        answering = client(record).chat.completions.create(
            model="one",
            messages=QUESTION,  # type: ignore[arg-type]
            max_tokens=CONTEXT - 64,
            stream=True,
        )
        next(iter(answering))
        os.kill(record.pid, signal.SIGSEGV)
        wait_until(lambda: not record.identity.alive())  # noqa: B023  (called at once)
        assert json.loads((home / "serve-deaths" / "computing.json").read_text()) == ["one"]

    record = ensure_running()
    assert failed() == {
        "one": "The inference process died 2 times in a row while it computed an answer of one, so it is not tried "
        "any more."
    }
    with pytest.raises(openai.APIStatusError, match="peftw serve load one"):
        say(record, "one")
    assert say(record, "two") == "two"
    assert endpoint.find() == record

    asyncio.run(control.load("one"))
    assert say(record, "one") == "one"


def test_I17_an_unused_model_is_unloaded(models: Path, home: Path) -> None:
    settings(home, unload_minutes=0.01)
    record = ensure_running()
    say(record, "one")
    wait_until(lambda: status().loaded == [])


IDLE_SECONDS = 60 if os.environ.get("PEFTW_FUZZ") else 4
IDLE_SHARE = 0.03
"""Of one processor. Both processes together took 0.014 of it in a minute."""


async def test_I17_an_idle_daemon_and_an_idle_inference_process_hardly_compute(models: Path) -> None:
    editor = Editor()
    await editor.start()
    await editor.ask("peft/serve/load", {"model": "one"})
    await editor.ask("peft/serve/status", {})
    record = endpoint.find()
    assert record is not None
    processes = [psutil.Process(record.pid), psutil.Process(editor.pid)]
    processes += [child for process in list(processes) for child in process.children(recursive=True)]

    def spent() -> float:
        return sum(sum(process.cpu_times()[:2]) for process in processes if process.is_running())

    async def share() -> float:
        before = spent()
        await asyncio.sleep(IDLE_SECONDS)
        return (spent() - before) / IDLE_SECONDS

    # What a start leaves to be done is soon done.
    shares = [await share()]
    while shares[-1] > IDLE_SHARE and len(shares) < 10:
        shares.append(await share())
    assert shares[-1] <= IDLE_SHARE, shares
    assert status().loaded == ["one"]
    await editor.stop()


def test_a_crash_in_native_code_takes_the_process_alone_and_the_next_request_starts_it(models: Path) -> None:
    record = ensure_running()
    say(record, "one")
    os.kill(record.pid, signal.SIGSEGV)
    wait_until(lambda: not record.identity.alive())

    assert status_without_process() == "stopped"
    after = ensure_running()
    assert (after.port, after.token) == (record.port, record.token)
    assert say(after, "one") == "one"


def status_without_process() -> str:
    return endpoint.status().state


def test_a_file_that_lies_about_itself_is_a_sentence_and_the_process_lives(models: Path) -> None:
    file = models / "one.gguf"
    whole = file.read_bytes()
    file.unlink()
    file.write_bytes(whole[: len(whole) // 2])
    record = ensure_running()
    with pytest.raises(openai.APIStatusError) as error:
        say(record, "one")

    assert error.value.body is not None
    assert say(record, "two") == "two"
    assert endpoint.find() == record


def test_I1_hanging_up_on_a_load_gives_it_up(models: Path) -> None:
    record = ensure_running()
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            f"{record.root}/models/load",
            json={"model": "one"},
            headers=endpoint.authorization(record),
            timeout=httpx.Timeout(60, read=0.01),
        )

    wait_until(lambda: not any(model.state == "loading" for model in status().models))
    assert say(record, "one") == "one"


class TestEditor:
    """`peft/serve/*` as an editor speaks it."""

    async def test_models_are_loaded_pinned_switched_and_unloaded(self, models: Path) -> None:
        editor = Editor()
        await editor.start()
        loaded = await editor.ask("peft/serve/load", {"model": "one"})
        assert [model["state"] for model in loaded["models"]] == ["ready"]
        assert (await editor.ask("peft/serve/pin", {"model": "one"}))["state"] == "running"
        assert (await editor.ask("peft/serve/switch", {"model": "two"}))["model"] == "two"
        assert (await editor.ask("peft/serve/unload", {"model": "two"}))["loaded"] == ["one"]
        now = await editor.ask("peft/serve/status", {})
        assert [model["pinned"] for model in now["models"]] == [True]
        assert editor.of("peft/serve/changed")[0]["state"] == "starting"
        await editor.stop()

    async def test_an_unknown_model_is_an_error_with_its_report(self, models: Path) -> None:
        editor = Editor()
        await editor.start()
        response = await asyncio.wait_for(editor.request("peft/serve/load", {"model": "no/such"})[1], 180)
        assert response["error"]["data"]["code"] == "model-missing"
        await editor.stop()

    async def test_I14_it_starts_stops_and_restarts_on_the_same_port_and_twice_is_harmless(self, models: Path) -> None:
        editor = Editor()
        await editor.start()
        first = await editor.ask("peft/serve/start", {})
        again = await editor.ask("peft/serve/start", {})
        assert (first["state"], again["pid"]) == ("running", first["pid"])
        restarted = await editor.ask("peft/serve/restart", {})
        assert restarted["pid"] != first["pid"]
        assert restarted["port"] == first["port"]
        assert (await editor.ask("peft/serve/stop", {}))["state"] == "stopped"
        await editor.stop()

    async def test_the_token_is_in_the_answer_to_one_request_alone(self, models: Path) -> None:
        editor = Editor()
        await editor.start()
        told = await editor.ask("peft/serve/endpoint", {})
        record = endpoint.find()
        assert record is not None
        assert told == {"url": record.url, "token": record.token}
        assert record.token not in str(editor.notified)
        assert record.token not in str(await editor.ask("peft/serve/status", {}))
        await editor.stop()

    async def test_I1_a_cancelled_load_is_given_up(self, models: Path) -> None:
        editor = Editor()
        await editor.start()
        await editor.ask("peft/serve/start", {})
        number, response = editor.request("peft/serve/load", {"model": "one"})
        await editor.tell("$/cancelRequest", {"id": number})
        assert "error" in await asyncio.wait_for(response, 180)
        assert (await editor.ask("peft/serve/unload", {"model": "one"}))["loaded"] == []
        await editor.stop()


class TestCommands:
    """`peftw serve …` and `peftw service print`."""

    def peftw(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [str(Path(sys.executable).with_name("peftw")), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)

    def test_models_are_loaded_switched_and_unloaded(self, models: Path) -> None:
        assert "ready    one" in self.peftw("serve", "load", "one").stdout
        assert "default  two" in self.peftw("serve", "switch", "two").stdout
        assert "one" not in self.peftw("serve", "unload", "one").stdout
        now = ServeStatus.model_validate_json(self.peftw("serve", "status", "--json").stdout)
        assert (now.state, now.loaded, now.model) == ("running", ["two"], "two")
        refused = self.peftw("serve", "load", "no/such")
        assert refused.returncode == 1
        assert "There is no model no/such" in refused.stderr
        assert self.peftw("serve", "stop").stdout == "Stopped.\n"

    def test_a_file_that_was_added_is_shown_by_its_name(self, models: Path, home: Path, short_base: Path) -> None:
        assert self.peftw("models", "add", str(short_base), "--id", "mine").stdout == "mine\n"
        assert "ready    mine" in self.peftw("serve", "load", "mine").stdout
        assert "mine" not in self.peftw("serve", "unload", "mine").stdout

    def test_J11_a_host_beyond_this_machine_is_refused(self, models: Path) -> None:
        done = self.peftw("serve", "--host", "0.0.0.0", "--detach")
        assert done.returncode == 1
        assert "this machine alone" in done.stderr
        assert endpoint.find() is None

    def test_I18_a_systemd_unit_is_printed_that_parses_and_starts_the_process(self, models: Path, home: Path) -> None:
        unit = ConfigParser(interpolation=None)
        unit.optionxform = str  # type: ignore[assignment,method-assign]
        unit.read_string(self.peftw("service", "print", "--manager", "systemd").stdout)
        command = unit["Service"]["ExecStart"].split()
        assert Path(command[0]).samefile(sys.executable)
        assert command[1:4] == ["-P", "-m", "peft_engine.inference"]

        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
        wait_until(lambda: endpoint.find() is not None)
        assert endpoint.stop()
        assert process.wait(60) == 0

    def test_I18_a_launchd_plist_is_printed_that_parses(self, models: Path, home: Path) -> None:
        service = plistlib.loads(self.peftw("service", "print", "--manager", "launchd").stdout.encode())
        assert service["ProgramArguments"][1:4] == ["-P", "-m", "peft_engine.inference"]
        assert str(home) in service["ProgramArguments"]
