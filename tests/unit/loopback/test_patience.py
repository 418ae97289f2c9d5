"""Slow and idle connections, at a real socket."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from peft_engine.loopback import guard as guard_module
from peft_engine.loopback import patience
from peft_engine.loopback.guard import Guard
from peft_engine.loopback.listening import QuietServer, listen

HEAD = b"POST /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer correct-horse\r\n"
Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


async def echo(request: Request) -> Response:
    return PlainTextResponse(await request.body())


async def slow(_: Request) -> Response:
    await asyncio.sleep(1.5)
    return PlainTextResponse("at last")


@pytest.fixture
async def connect(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Connect]:
    monkeypatch.setattr(patience.ImpatientProtocol, "request_seconds", 0.5)
    monkeypatch.setattr(guard_module, "BODY_SECONDS", 0.5)
    app = Starlette(routes=[Route("/echo", echo, methods=["POST"]), Route("/slow", slow)])
    guard = Guard(
        app,
        token="correct-horse",
        token_from="in the test",
        answer=lambda refusal: PlainTextResponse(refusal.message, refusal.status, headers=refusal.headers),
    )
    listener = listen(0)
    server = QuietServer(guard)
    serving = asyncio.create_task(server.serve([listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    port = listener.getsockname()[1]
    yield lambda: asyncio.open_connection("127.0.0.1", port)
    server.should_exit = True
    await serving


async def read_all(reader: asyncio.StreamReader) -> bytes:
    """Return what comes until the server hangs up, which every test here waits for."""
    try:
        return await asyncio.wait_for(reader.read(), 60)
    except ConnectionError:
        return b""


@pytest.mark.parametrize("start", [b"", b"POST /ec", HEAD])
async def test_a_head_that_never_ends_is_hung_up_on(connect: Connect, start: bytes) -> None:
    reader, writer = await connect()
    writer.write(start)

    assert await read_all(reader) == b""


async def test_a_head_in_drops_is_hung_up_on(connect: Connect) -> None:
    reader, writer = await connect()
    reading = asyncio.create_task(read_all(reader))
    while not reading.done():
        writer.write(b"X")
        await asyncio.sleep(0.05)

    assert await reading == b""


async def test_a_body_that_never_ends_is_408(connect: Connect) -> None:
    reader, writer = await connect()
    writer.write(HEAD + b"Content-Length: 100\r\n\r\nhalf")

    answer = await read_all(reader)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"did not arrive within" in answer


async def test_a_body_in_drops_after_a_refusal_does_not_hold_the_connection(connect: Connect) -> None:
    reader, writer = await connect()
    writer.write(b"POST /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9000\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 401")
    reading = asyncio.create_task(read_all(reader))
    while not reading.done():
        writer.write(b"X")
        await asyncio.sleep(0.05)


async def test_an_answer_may_take_longer_than_a_request(connect: Connect) -> None:
    reader, writer = await connect()
    writer.write(HEAD.replace(b"POST /echo", b"GET /slow") + b"Connection: close\r\n\r\n")

    assert (await read_all(reader)).endswith(b"at last")


async def test_a_connection_is_used_again_and_its_next_request_is_waited_for_as_long(connect: Connect) -> None:
    reader, writer = await connect()
    for _ in range(2):
        writer.write(HEAD + b"Content-Length: 2\r\n\r\nok")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        assert await reader.readexactly(2) == b"ok"
    writer.write(HEAD[:20])

    assert await read_all(reader) == b""


async def test_connections_beyond_the_limit_are_hung_up_on_and_others_go_on(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "most_connections", lambda: 3)
    monkeypatch.setattr(patience.ImpatientProtocol, "request_seconds", 60)
    kept = [await connect() for _ in range(3)]
    reader, _ = await connect()

    assert await read_all(reader) == b""
    for reader, writer in kept:
        writer.write(HEAD + b"Connection: close\r\nContent-Length: 2\r\n\r\nok")
        assert (await read_all(reader)).endswith(b"ok")
