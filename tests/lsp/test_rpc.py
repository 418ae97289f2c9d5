"""The binding of `peft/*` messages: what a handler sees, and what becomes of what it raises."""

import asyncio

import pytest

from peft_daemon.lsp.errors import INTERNAL_ERROR, INVALID_PARAMS, REQUEST_CANCELLED, REQUEST_FAILED
from peft_daemon.rpc import bind, notify
from peft_schemas.base import Empty
from peft_schemas.errors import WorkbenchError
from peft_schemas.protocol import NOTIFICATIONS, REQUESTS
from peft_schemas.runs import RunIdParams, RunListResult, RunResult
from tests.lsp.client import Client

METHOD = "peft/run/show"


async def test_a_handler_gets_the_model_and_its_result_goes_out_as_plain_json(server, wire) -> None:
    seen = []

    @bind(server, METHOD)
    async def show(params: RunIdParams) -> RunResult:
        seen.append(params)
        return RunResult(run=None)

    assert (await wire.ask(server, METHOD, {"run_id": "x"}))["result"] == {"run": None, "error": None}
    assert seen == [RunIdParams(run_id="x")]


async def test_bad_params_never_reach_the_handler(server, wire) -> None:
    @bind(server, METHOD)
    async def show(params: RunIdParams) -> RunResult:
        raise AssertionError

    error = (await wire.ask(server, METHOD, {"run_id": 3}))["error"]
    assert error["code"] == INVALID_PARAMS
    assert error["message"].startswith("peft/run/show: run_id: ")


async def test_an_expected_error_carries_its_remedy(server, wire) -> None:
    @bind(server, METHOD)
    async def show(params: RunIdParams) -> RunResult:
        raise WorkbenchError("run-missing", "There is no run x.", "List the runs.")

    error = (await wire.ask(server, METHOD, {"run_id": "x"}))["error"]
    assert (error["code"], error["message"]) == (REQUEST_FAILED, "There is no run x. List the runs.")
    assert error["data"]["code"] == "run-missing"


async def test_an_unexpected_error_is_an_internal_one_without_its_text(server, wire, caplog) -> None:
    @bind(server, METHOD)
    async def show(params: RunIdParams) -> RunResult:
        raise RuntimeError("secret")

    error = (await wire.ask(server, METHOD, {"run_id": "x"}))["error"]
    assert error["code"] == INTERNAL_ERROR
    assert error["message"].startswith(METHOD)
    assert "secret" not in error["message"]
    assert "data" not in error
    assert "secret" in caplog.text


async def test_a_cancelled_request_is_cancelled_in_its_handler(server, wire) -> None:
    cancelled = []

    @bind(server, METHOD)
    async def show(params: RunIdParams) -> RunResult:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(params.run_id)
            raise
        raise AssertionError

    id_ = wire.begin(server, METHOD, {"run_id": "x"})
    await asyncio.sleep(0)
    wire.tell(server, {"method": "$/cancelRequest", "params": {"id": id_}})
    assert (await wire.response(id_))["error"]["code"] == REQUEST_CANCELLED
    assert cancelled == ["x"]


async def test_a_handler_may_answer_what_was_done_before_it_was_cancelled(server, wire) -> None:
    @bind(server, METHOD)
    async def show(params: RunIdParams) -> RunResult:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return RunResult(run=None)
        raise AssertionError

    id_ = wire.begin(server, METHOD, {"run_id": "x"})
    await asyncio.sleep(0)
    wire.tell(server, {"method": "$/cancelRequest", "params": {"id": id_}})
    assert (await wire.response(id_))["result"] == {"run": None, "error": None}


async def test_only_methods_and_models_of_the_protocol_can_be_used(server) -> None:
    with pytest.raises(KeyError):
        bind(server, "peft/other")
    with pytest.raises(TypeError, match="RunListResult"):
        notify(server, "peft/runs/changed", Empty())
    notify(server, "peft/runs/changed", RunListResult(runs=[]))


async def test_W4_every_request_of_the_protocol_is_answered_by_some_service(server) -> None:
    assert all(server.handler(request.method) for request in REQUESTS)
    assert all(notification.method.startswith("peft/") for notification in NOTIFICATIONS)


def test_the_editor_is_asked_to_watch_data_files_where_it_can(fresh: Client) -> None:
    fresh.initialize({"workspace": {"didChangeWatchedFiles": {"dynamicRegistration": True}}})
    request = fresh.asked("client/registerCapability")
    (registration,) = request["params"]["registrations"]
    assert registration["method"] == "workspace/didChangeWatchedFiles"
    assert "jsonl" in registration["registerOptions"]["watchers"][0]["globPattern"]
    fresh.send({"jsonrpc": "2.0", "id": request["id"], "result": None})
    assert fresh.stop() == 0
    assert "Traceback" not in fresh.log
