"""JSON-RPC both ways: what is answered, in which words, and what survives."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from peft_daemon.lsp.endpoint import Endpoint
from peft_daemon.lsp.errors import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    REQUEST_CANCELLED,
    ResponseError,
)
from tests.lsp.inprocess import Wire

Answer = Callable[[Any], Awaitable[Any]]


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
async def endpoint(wire: Wire) -> Endpoint:
    return Endpoint(wire.sent.append)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.001)


async def test_plain_and_coroutine_functions_answer_requests(endpoint: Endpoint, wire: Wire) -> None:
    async def later(params: Any) -> Any:
        await asyncio.sleep(0)
        return [params]

    endpoint.feature("now", lambda params: params)
    endpoint.feature("later", later)
    endpoint.feature("nothing", lambda _: None)
    assert (await wire.ask(endpoint, "now", {"a": 1}))["result"] == {"a": 1}
    assert (await wire.ask(endpoint, "later", 3))["result"] == [3]
    assert "result" in await wire.ask(endpoint, "nothing")


async def test_answers_to_plain_functions_keep_the_order_of_the_requests(endpoint: Endpoint, wire: Wire) -> None:
    endpoint.feature("echo", lambda params: params)
    ids = [wire.begin(endpoint, "echo", index) for index in range(50)]
    assert [message["id"] for message in wire.messages] == ids


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{x}", PARSE_ERROR),
        (b"\xff\xfe", PARSE_ERROR),
        (b"[" * 100_000, PARSE_ERROR),
        (b"[]", INVALID_REQUEST),
        (b"3", INVALID_REQUEST),
        (b'{"jsonrpc": "2.0"}', INVALID_REQUEST),
        (b'{"jsonrpc": "2.0", "id": null, "method": "x"}', INVALID_REQUEST),
        (b'{"jsonrpc": "2.0", "id": {}, "method": "x"}', INVALID_REQUEST),
        (b'{"jsonrpc": "2.0", "id": 1}', INVALID_REQUEST),
    ],
)
async def test_what_is_no_message_is_refused_without_an_id(endpoint: Endpoint, wire: Wire, body: bytes, code) -> None:
    endpoint.receive(body)
    (answer,) = wire.messages
    assert (answer["id"], answer["error"]["code"]) == (None, code)


async def test_an_unknown_method_is_answered_and_an_unknown_notification_is_not(endpoint: Endpoint, wire: Wire) -> None:
    wire.tell(endpoint, {"method": "unknown"})
    assert (await wire.ask(endpoint, "unknown"))["error"]["code"] == METHOD_NOT_FOUND
    assert len(wire.messages) == 1


async def test_params_of_another_shape_reach_no_handler(endpoint: Endpoint, wire: Wire, caplog) -> None:
    def never(_: Any) -> None:
        raise AssertionError

    endpoint.feature("textDocument/hover", never)
    endpoint.listen("textDocument/didClose", never)
    error = (await wire.ask(endpoint, "textDocument/hover", {"textDocument": {"uri": "file:///x"}}))["error"]
    assert error == {"code": INVALID_PARAMS, "message": "textDocument/hover: position: is missing."}
    wire.tell(endpoint, {"method": "textDocument/didClose", "params": {}})
    assert "textDocument/didClose: textDocument: is missing." in caplog.text


async def test_an_error_that_a_handler_means_goes_out_in_its_words(endpoint: Endpoint, wire: Wire) -> None:
    async def refuse(_: Any) -> None:
        raise ResponseError(-5, "No.", {"why": 1})

    endpoint.feature("refuse", refuse)
    assert (await wire.ask(endpoint, "refuse"))["error"] == {"code": -5, "message": "No.", "data": {"why": 1}}


async def test_an_error_that_no_handler_means_goes_to_the_log_only(endpoint: Endpoint, wire: Wire, caplog) -> None:
    def fail(_: Any) -> None:
        raise RuntimeError("secret")

    async def fail_later(_: Any) -> None:
        raise RuntimeError("secret")

    for method, handler in (("fail", fail), ("fail/later", fail_later), ("odd", lambda _: {1, 2})):
        endpoint.feature(method, handler)
        error = (await wire.ask(endpoint, method))["error"]
        assert (error["code"], "secret" in error["message"]) == (INTERNAL_ERROR, False)
    assert caplog.text.count("RuntimeError: secret") == 2


async def test_a_number_that_json_does_not_have_is_not_sent(endpoint: Endpoint, wire: Wire) -> None:
    endpoint.feature("nan", lambda _: float("nan"))
    assert (await wire.ask(endpoint, "nan"))["error"]["code"] == INTERNAL_ERROR


async def test_half_a_surrogate_pair_goes_out_as_an_escape(endpoint: Endpoint, wire: Wire) -> None:
    endpoint.notify("text", "\ud800 😀")
    assert wire.sent[0].isascii()
    assert wire.messages[0]["params"] == "\ud800 😀"


@pytest.mark.parametrize("turns", [0, 3])
async def test_a_cancelled_request_is_answered_before_and_after_its_first_step(endpoint, wire, turns: int) -> None:
    async def forever(_: Any) -> None:
        await asyncio.Event().wait()

    endpoint.feature("forever", forever)
    id_ = wire.begin(endpoint, "forever")
    for _ in range(turns):
        await asyncio.sleep(0)
    wire.tell(endpoint, {"method": "$/cancelRequest", "params": {"id": id_}})
    assert (await wire.response(id_))["error"]["code"] == REQUEST_CANCELLED
    wire.tell(endpoint, {"method": "$/cancelRequest", "params": {"id": id_}})


async def test_an_id_in_use_is_refused(endpoint: Endpoint, wire: Wire) -> None:
    async def forever(_: Any) -> None:
        await asyncio.Event().wait()

    endpoint.feature("forever", forever)
    wire.tell(endpoint, {"id": "a", "method": "forever"})
    wire.tell(endpoint, {"id": "a", "method": "forever"})
    assert wire.messages[0]["error"]["code"] == INVALID_REQUEST


async def test_all_listeners_hear_in_order_and_one_that_fails_stops_no_other(endpoint, wire, caplog) -> None:
    heard: list[object] = []

    async def later(params: Any) -> None:
        heard.append(["later", params])

    endpoint.listen("news", lambda params: heard.append(params))
    endpoint.listen("news", lambda _: 1 / 0)
    endpoint.listen("news", later)
    wire.tell(endpoint, {"method": "news", "params": 1})
    await until(lambda: len(heard) == 2)
    assert heard == [1, ["later", 1]]
    assert "ZeroDivisionError" in caplog.text


async def test_the_other_end_can_be_asked(endpoint: Endpoint, wire: Wire) -> None:
    asking = asyncio.ensure_future(endpoint.request("window/showMessageRequest", {"message": "?"}))
    await until(lambda: wire.messages)
    wire.tell(endpoint, {"id": wire.messages[0]["id"], "result": {"title": "Yes"}})
    assert await asking == {"title": "Yes"}


async def test_a_refusal_of_the_other_end_is_raised(endpoint: Endpoint, wire: Wire) -> None:
    asking = asyncio.ensure_future(endpoint.request("x"))
    await until(lambda: wire.messages)
    wire.tell(endpoint, {"id": wire.messages[0]["id"], "error": {"code": -1, "message": "No."}})
    with pytest.raises(ResponseError, match=r"No\."):
        await asking


async def test_a_question_that_is_given_up_is_cancelled_at_the_other_end(endpoint: Endpoint, wire: Wire) -> None:
    asking = asyncio.ensure_future(endpoint.request("x"))
    await until(lambda: wire.messages)
    asking.cancel()
    await until(lambda: len(wire.messages) == 2)
    id_ = wire.messages[0]["id"]
    assert wire.messages[1] == {"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": id_}}
    wire.tell(endpoint, {"id": id_, "result": None})


async def test_a_response_to_nothing_is_logged(endpoint: Endpoint, wire: Wire, caplog) -> None:
    wire.tell(endpoint, {"id": 77, "result": None})
    assert "77" in caplog.text
    assert wire.messages == []


async def test_background_work_that_fails_is_logged(endpoint: Endpoint, caplog) -> None:
    async def fail() -> None:
        raise RuntimeError("lost")

    caplog.set_level(logging.ERROR)
    endpoint.spawn(fail())
    await until(lambda: "RuntimeError: lost" in caplog.text)


async def test_a_method_is_answered_by_one_handler_only(endpoint: Endpoint) -> None:
    endpoint.feature("x", print)
    with pytest.raises(ValueError, match="x is answered already"):
        endpoint.feature("x", print)
