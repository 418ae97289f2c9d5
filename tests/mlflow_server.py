"""A stand-in for MLflow's tracking server, for contract tests: it refuses what that refuses.

Written from the public reference (https://mlflow.org/docs/latest/api_reference/rest-api.html).
"""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

NAME = re.compile(r"^[/\w.\- :]*$")
STATUSES = ("RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED")
LIMITS = {"metrics": 1000, "params": 100, "tags": 100}
Fault = Literal["deaf", "busy", "mute"]
"""`deaf` drops the connection before anything is done, `busy` answers 503, `mute` does it and drops the connection."""


class Refusal(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


def bad(message: str) -> Refusal:
    return Refusal(400, "INVALID_PARAMETER_VALUE", message)


@dataclass
class Run:
    experiment: str
    name: str
    start: int
    status: str = "RUNNING"
    end: int | None = None
    tags: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[tuple[str, int, str, int], None] = field(default_factory=dict)
    """Key, timestamp, value and step, in the order in which they came; an exact repeat is ignored."""

    def series(self) -> dict[str, list[tuple[int, str]]]:
        """Return step and value of each metric, in the order in which they came."""
        found: dict[str, list[tuple[int, str]]] = {}
        for key, _, value, step in self.metrics:
            found.setdefault(key, []).append((step, value))
        return found


class MlflowStandIn:
    def __init__(self) -> None:
        self.experiments: dict[str, str] = {"0": "Default"}
        self.runs: dict[str, Run] = {}
        self.faults: list[Fault | None] = []
        """What happens to the next requests."""

        self.requests: list[tuple[str, dict[str, str], Any]] = []
        self.token: str | None = None
        self.url = ""
        self._numbers = count(1)
        self._lock = threading.Lock()

    def counting(self) -> list[Run]:
        """Return the runs that no other takes the place of."""
        return [run for run in self.runs.values() if "peftw.replaced_by" not in run.tags]

    def answer(self, path: str, query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        match path:
            case "experiments/get-by-name":
                name = _required(query, "experiment_name")
                for id_, known in self.experiments.items():
                    if known == name:
                        return {"experiment": {"experiment_id": id_, "name": name, "lifecycle_stage": "active"}}
                raise Refusal(404, "RESOURCE_DOES_NOT_EXIST", f"Could not find experiment with name '{name}'")
            case "experiments/create":
                name = _required(body, "name")
                if name in self.experiments.values():
                    raise Refusal(400, "RESOURCE_ALREADY_EXISTS", f"Experiment '{name}' already exists.")
                id_ = str(next(self._numbers))
                self.experiments[id_] = name
                return {"experiment_id": id_}
            case "runs/create":
                return self._create(body)
            case "runs/search":
                wanted = re.fullmatch(r"tags\.`([^`]+)` = '([^']*)'", _required(body, "filter"))
                if wanted is None:
                    raise bad("Invalid clause(s) in filter string")
                found = [
                    {"info": {"run_id": id_}}
                    for id_, run in self.runs.items()
                    if run.experiment in body["experiment_ids"] and run.tags.get(wanted[1]) == wanted[2]
                ]
                return {"runs": found[: body["max_results"]]} if found else {}
            case "runs/log-batch":
                return self._log(body)
            case "runs/set-tag":
                self._run(body).tags[_required(body, "key")] = _required(body, "value")
                return {}
            case "runs/update":
                run = self._run(body)
                if body.get("status", run.status) not in STATUSES:
                    raise bad(f"Invalid status {body['status']}")
                run.status, run.end = body.get("status", run.status), body.get("end_time", run.end)
                run.name = body.get("run_name", run.name)
                return {"run_info": {"run_id": body["run_id"], "status": run.status}}
        raise Refusal(404, "ENDPOINT_NOT_FOUND", f"No such endpoint: {path}")

    def _create(self, body: dict[str, Any]) -> dict[str, Any]:
        if _required(body, "experiment_id") not in self.experiments:
            raise Refusal(404, "RESOURCE_DOES_NOT_EXIST", f"No Experiment with id={body['experiment_id']} exists")
        id_ = f"{next(self._numbers):032x}"
        run = Run(body["experiment_id"], body.get("run_name", "unnamed"), body["start_time"])
        run.tags = {tag["key"]: tag["value"] for tag in body.get("tags", [])}
        self.runs[id_] = run
        return {"run": {"info": {"run_id": id_, "status": run.status}, "data": {}}}

    def _log(self, body: dict[str, Any]) -> dict[str, Any]:
        run = self._run(body)
        for kind, limit in LIMITS.items():
            if len(body.get(kind, [])) > limit:
                raise bad(f"A batch logging request can contain at most {limit} {kind}.")
        for metric in body.get("metrics", []):
            key, value = _required(metric, "key"), _required(metric, "value")
            if not NAME.match(key) or len(key) > 250:
                raise bad(f"Invalid value {key!r} for parameter 'metrics[0].name'")
            if not isinstance(metric.get("timestamp"), int) or not isinstance(metric.get("step", 0), int):
                raise bad("Missing value for required parameter 'metrics[0].timestamp'")
            if isinstance(value, str) and value != "NaN":
                raise bad(f"Invalid value {value!r} for parameter 'metrics[0].value'")
            run.metrics.setdefault((key, metric["timestamp"], repr(float(value)), metric.get("step", 0)))
        for param in body.get("params", []):
            key, value = _required(param, "key"), param.get("value", "")
            if not NAME.match(key) or len(value) > 6000:
                raise bad(f"Invalid value for parameter {key!r}")
            if run.params.setdefault(key, value) != value:
                raise bad(f"Changing param values is not allowed. Param with key='{key}' was already logged.")
        return {}

    def _run(self, body: dict[str, Any]) -> Run:
        id_ = _required(body, "run_id")
        if id_ not in self.runs:
            raise Refusal(404, "RESOURCE_DOES_NOT_EXIST", f"Run with id={id_} not found")
        return self.runs[id_]

    @contextmanager
    def serving(self, port: int = 0) -> Iterator["MlflowStandIn"]:
        """Answer on loopback, at a port that is free where none is given."""
        standin = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._handle({})

            def do_POST(self) -> None:
                self._handle(json.loads(self.rfile.read(int(self.headers["content-length"]))))

            def _handle(self, body: dict[str, Any]) -> None:
                parts = urlsplit(self.path)
                path = parts.path.removeprefix("/api/2.0/mlflow/")
                with standin._lock:
                    standin.requests.append((path, dict(self.headers), body))
                    fault = standin.faults.pop(0) if standin.faults else None
                    if fault == "deaf":
                        self._hang_up()
                        return
                    try:
                        if standin.token and self.headers.get("authorization") != f"Bearer {standin.token}":
                            raise Refusal(401, "UNAUTHENTICATED", "You are not authenticated.")
                        if fault == "busy":
                            raise Refusal(503, "TEMPORARILY_UNAVAILABLE", "later")
                        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
                        status, said = 200, standin.answer(path, query, body)
                    except Refusal as refusal:
                        status, said = refusal.status, {"error_code": refusal.code, "message": str(refusal)}
                    if fault == "mute":
                        self._hang_up()
                        return
                content = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def _hang_up(self) -> None:
                self.close_connection = True
                self.connection.close()

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        server.daemon_threads = True
        self.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def _required(body: dict[str, Any], name: str) -> Any:
    if body.get(name) in (None, ""):
        raise bad(f"Missing value for required parameter '{name}'.")
    return body[name]
