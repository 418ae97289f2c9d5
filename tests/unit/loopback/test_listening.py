"""What is written leaves at once, at a real socket."""

import asyncio
import socket

from starlette.types import Receive, Scope, Send

from peft_engine.loopback.listening import QuietServer, listen


async def test_an_answer_in_pieces_does_not_wait_for_its_client_to_confirm_them() -> None:
    """The kernel may hold a small piece back until the one before is confirmed, which clients put off for 40 ms."""
    leaves_at_once: list[bool] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for connection in server.server_state.connections:
            end: socket.socket = connection.transport.get_extra_info("socket")
            leaves_at_once.append(bool(end.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": b"done"})

    listener = listen(0)
    server = QuietServer(app)
    serving = asyncio.create_task(server.serve([listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    writer.write(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")

    assert (await asyncio.wait_for(reader.read(), 60)).endswith(b"done")
    assert leaves_at_once == [True]
    writer.close()
    server.should_exit = True
    await serving
