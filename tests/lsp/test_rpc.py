"""The binding of `peft/*` messages: what a handler sees, and what becomes of what it raises."""

import asyncio

import pytest
from pygls.exceptions import JsonRpcException, JsonRpcInternalError, JsonRpcInvalidParams

from peft_daemon.rpc import bind, notify
from peft_daemon.server import create_server
from peft_daemon.workbench import WorkbenchServer
from peft_schemas.errors import WorkbenchError
from peft_schemas.protocol import NOTIFICATIONS, REQUESTS, Empty, RunIdParams, RunListResult, RunResult
from tests.lsp.client import Client

METHOD = "peft/run/show"


@pytest.fixture
def server() -> WorkbenchServer:
    return create_server()


async def call(server: WorkbenchServer, params: object) -> object:
    return await server.protocol.fm.features[METHOD](params)


async def test_a_handler_gets_the_model_and_its_result_goes_out_as_plain_json(server: WorkbenchServer) -> None:
    seen = []

    @bind(server, METHOD)
    async def show(params: RunIdParams) -> RunResult:
        seen.append(params)
        return RunResult(run=None)

    assert await call(server, {"run_id": "x"}) == {"run": None, "error": None}
    assert seen == [RunIdParams(run_id="x")]


async def test_bad_params_never_reach_the_handler(server: WorkbenchServer) -> None:
    @bind(server, METHOD)
    async def show(params: RunIdParams) -> RunResult:
        raise AssertionError

    with pytest.raises(JsonRpcInvalidParams, match=r"peft/run/show: run_id: "):
        await call(server, {"run_id": 3})


async def test_an_expected_error_carries_its_remedy(server: WorkbenchServer) -> None:
    @bind(server, METHOD)
    async def show(params: RunIdParams) -> RunResult:
        raise WorkbenchError("run-missing", "There is no run x.", "List the runs.")

    with pytest.raises(JsonRpcException) as caught:
        await call(server, {"run_id": "x"})
    assert caught.value.message == "There is no run x. List the runs."
    assert caught.value.data["code"] == "run-missing"


async def test_an_unexpected_error_is_an_internal_one_without_its_text(server: WorkbenchServer) -> None:
    @bind(server, METHOD)
    async def show(params: RunIdParams) -> RunResult:
        raise RuntimeError("secret")

    with pytest.raises(JsonRpcInternalError) as caught:
        await call(server, {"run_id": "x"})
    assert "secret" not in caught.value.message
    assert caught.value.data is None


async def test_a_cancelled_request_is_cancelled_in_its_handler(server: WorkbenchServer) -> None:
    @bind(server, METHOD)
    async def show(params: RunIdParams) -> RunResult:
        await asyncio.sleep(60)
        raise AssertionError

    task = asyncio.ensure_future(call(server, {"run_id": "x"}))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_only_methods_and_models_of_the_protocol_can_be_used(server: WorkbenchServer) -> None:
    with pytest.raises(KeyError):
        bind(server, "peft/other")
    with pytest.raises(TypeError, match="RunListResult"):
        notify(server, "peft/runs/changed", Empty())
    notify(server, "peft/runs/changed", RunListResult(runs=[]))


def test_W4_every_request_of_the_protocol_is_answered_by_some_service(server: WorkbenchServer) -> None:
    server.load_services()
    server.load_services()
    assert {request.method for request in REQUESTS} <= set(server.protocol.fm.features)
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
