"""The inference process is said to run when it answers, and never because something is there that could."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peft_daemon.serving import endpoint
from peft_engine.process import ProcessIdentity
from peft_engine.serve_record import ServeRecord, remove_serve_record, write_serve_record
from peft_schemas.serving import ServeStatus
from tests.property.strategies import examples

TOKEN = "a-token"
BEHAVIOURS = {
    "answers": (200, ServeStatus(state="running").model_dump_json()),
    "is broken": (500, "{}"),
    "is overloaded": (503, ServeStatus(state="running").model_dump_json()),
    "sends elsewhere": (302, ""),
    "is another program": (200, "<html>"),
    "is of another version": (200, '{"state": "splendid"}'),
    "says nothing": (200, ""),
    "hangs up": (0, ""),
}


class Probed:
    """A server on loopback that behaves as it is told."""

    def __init__(self) -> None:
        self.behaviour = "answers"
        probed = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = BEHAVIOURS[probed.behaviour]
                if not status:
                    self.connection.close()
                    return
                if self.headers["Authorization"] != f"Bearer {TOKEN}":
                    status = 401
                self.send_response(status)
                self.send_header("Location", "/models/status")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture(scope="module")
def probed() -> Iterator[Probed]:
    probed = Probed()
    yield probed
    probed.server.shutdown()
    probed.server.server_close()


@given(
    st.lists(st.tuples(st.sampled_from(sorted(BEHAVIOURS)), st.sampled_from(["own", "dead", "wrong key", "none"]))),
)
@examples(40)
def test_N6_what_is_said_to_run_answered_the_last_question(probed: Probed, moments: list[tuple[str, str]]) -> None:
    own, port = ProcessIdentity.current(), probed.server.server_address[1]
    record = ServeRecord(
        pid=own.pid, started=own.started, port=port, url=f"http://127.0.0.1:{port}/v1", token=TOKEN, version="1"
    )
    for behaviour, announced in moments:
        probed.behaviour = behaviour
        if announced == "none":
            remove_serve_record(own)
        elif announced == "dead":
            gone = replace(own, started=own.started - 1000)
            write_serve_record(record.model_copy(update={"started": gone.started}))
        else:
            write_serve_record(record.model_copy(update={"token": TOKEN if announced == "own" else "another"}))
        running = endpoint.status().state == "running"
        assert running == (behaviour == "answers" and announced == "own"), json.dumps([behaviour, announced])
        if announced in ("none", "dead"):
            remove_serve_record(replace(own, started=own.started - 1000))
