"""MLflow, through the REST API of its tracking server (`mlflow server`).

Source: https://mlflow.org/docs/latest/api_reference/rest-api.html. A server with a database, which is the default since
MLflow 3, ignores a measurement whose key, time, step and value it has already; that is what makes `log` repeatable.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from peft_connectors.http import Answer, JsonClient, NoAnswer
from peft_connectors.tracker import Beginning, Point, TrackerRefused, TrackerUnreachable
from peft_schemas.tracking import TrackedState

_API = "/api/2.0/mlflow"
_METRICS_A_BATCH = 1000
_PARAMS_A_BATCH = 100
_LONGEST_VALUE = 6000
"""Characters of a parameter; a longer one is refused."""

_LONGEST_TAG = 5000
_LONGEST_QUOTE = 300
"""Characters of the server's own words that are handed on."""

_KEY = "peftw.key"
_REPLACED = "peftw.replaced_by"

_STATUS: dict[TrackedState, str] = {
    "running": "RUNNING",
    "paused": "SCHEDULED",
    "completed": "FINISHED",
    "failed": "FAILED",
    "stopped": "KILLED",
    "cancelled": "KILLED",
}

_SERVER_FAULT = 500
_TOO_MANY = 429
_REDIRECTS = range(300, 400)
_OK = 200
_UNAUTHORISED = (401, 403)


class MlflowTracker:
    """A connection to one MLflow tracking server."""

    def __init__(self, url: str, *, token: str | None = None) -> None:
        """Prepare to speak with a server; nothing is sent yet.

        Args:
            url: Its address.
            token: A bearer token for it.
        """
        self._url = url
        self._client = JsonClient(url, token=token)

    def begin(self, beginning: Beginning) -> str:
        """Have the server keep a run, and return its id there."""
        experiment = self._experiment(beginning.experiment)
        run = self._known(experiment, beginning.key) or self._create(experiment, beginning)
        params = [{"key": key, "value": value[:_LONGEST_VALUE]} for key, value in beginning.params.items()]
        for some in _parts(params, _PARAMS_A_BATCH):
            self._do("runs/log-batch", {"run_id": run, "params": some})
        return run

    def page(self, run: str) -> str:
        """Return the address of a run in MLflow's own pages, which need no experiment to find it."""
        return f"{self._url.rstrip('/')}/#/runs/{run}"

    def log(self, run: str, points: Sequence[Point]) -> None:
        """Add measurements to a run, in their order."""
        metrics = [
            {
                "key": point.metric,
                # Protobuf's JSON has numbers that JSON has not as texts.
                "value": "NaN" if point.value is None else point.value,
                "timestamp": point.time,
                "step": point.step,
            }
            for point in points
        ]
        for some in _parts(metrics, _METRICS_A_BATCH):
            self._do("runs/log-batch", {"run_id": run, "metrics": some})

    def enter(self, run: str, state: TrackedState, time: int) -> None:
        """Say which state the run is in since a moment."""
        ended = {} if state in ("running", "paused") else {"end_time": time}
        self._do("runs/update", {"run_id": run, "status": _STATUS[state], **ended})

    def supersede(self, run: str, name: str, by: str) -> None:
        """Mark a run as an earlier copy: it ends, and its name and a tag say what takes its place."""
        self._do("runs/set-tag", {"run_id": run, "key": _REPLACED, "value": by})
        self._do("runs/update", {"run_id": run, "status": "KILLED", "run_name": f"{name} (replaced)"})

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _experiment(self, name: str) -> str:
        found = self._by_name(name)
        if found is None:
            answer = self._ask("POST", "experiments/create", body={"name": name})
            if answer.status == _OK:
                return _text(answer.body, "experiment_id")
            # Another run may have made it a moment ago.
            found = self._by_name(name)
            if found is None:
                raise self._refusal(answer)
        if found.get("lifecycle_stage") == "deleted":
            raise TrackerRefused(
                f"The experiment {name} was deleted on the tracker at {self._url}.",
                "Restore it there, or name another in `tracker.experiment`.",
            )
        return _text(found, "experiment_id")

    def _by_name(self, name: str) -> Mapping[str, Any] | None:
        answer = self._ask("GET", "experiments/get-by-name", query={"experiment_name": name})
        if answer.body.get("error_code") == "RESOURCE_DOES_NOT_EXIST":
            return None
        if answer.status != _OK:
            raise self._refusal(answer)
        return _object(answer.body, "experiment")

    def _known(self, experiment: str, key: str) -> str | None:
        """Return the id of a run that was created by a request whose answer was lost."""
        wanted = {"experiment_ids": [experiment], "filter": f"tags.`{_KEY}` = '{key}'", "max_results": 1}
        runs = self._do("runs/search", wanted).get("runs") or [None]
        return None if not isinstance(runs[0], dict) else _text(_object(runs[0], "info"), "run_id")

    def _create(self, experiment: str, beginning: Beginning) -> str:
        tags = {_KEY: beginning.key, **beginning.environment}
        created = self._do(
            "runs/create",
            {
                "experiment_id": experiment,
                "run_name": beginning.name,
                "start_time": beginning.time,
                "tags": [{"key": key, "value": value[:_LONGEST_TAG]} for key, value in tags.items()],
            },
        )
        return _text(_object(_object(created, "run"), "info"), "run_id")

    def _do(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        answer = self._ask("POST", path, body=body)
        if answer.status != _OK:
            raise self._refusal(answer)
        return answer.body

    def _ask(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: Mapping[str, Any] | None = None
    ) -> Answer:
        try:
            answer = self._client.ask(method, f"{_API}/{path}", query=query, body=body)
        except NoAnswer as error:
            raise TrackerUnreachable(f"The tracker at {self._url} cannot be reached: {error}.") from error
        if answer.status >= _SERVER_FAULT or answer.status == _TOO_MANY:
            raise TrackerUnreachable(f"The tracker at {self._url} cannot answer now (status {answer.status}).")
        if answer.status == _OK and not answer.is_object:
            raise self._stranger()
        return answer

    def _refusal(self, answer: Answer) -> TrackerRefused:
        if answer.status in _REDIRECTS:
            return TrackerRefused(
                f"The tracker at {self._url} sends us to another address, which is not followed.",
                "Write the address where it answers under `tracker.url`.",
            )
        if answer.status in _UNAUTHORISED:
            return TrackerRefused(
                f"The tracker at {self._url} lets nobody in without the right token.",
                "Set MLFLOW_TRACKING_URI to its address and MLFLOW_TRACKING_TOKEN to your token, and start again.",
            )
        said = answer.body.get("message")
        if not isinstance(said, str):
            return self._stranger()
        return TrackerRefused(
            f"The tracker at {self._url} refuses the run: {' '.join(said.split())[:_LONGEST_QUOTE]}",
            "Correct what it names; what is missing is sent then.",
        )

    def _stranger(self) -> TrackerRefused:
        return TrackerRefused(
            f"What answers at {self._url} is no MLflow tracking server.", "Correct the address in `tracker.url`."
        )


def _parts(items: list[dict[str, Any]], size: int) -> list[list[dict[str, Any]]]:
    return [items[at : at + size] for at in range(0, len(items), size)]


def _object(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = body.get(name)
    return found if isinstance(found, dict) else {}


def _text(body: Mapping[str, Any], name: str) -> str:
    """Return an id.

    Raises:
        TrackerUnreachable: It is not where it belongs.
    """
    found = body.get(name)
    if not isinstance(found, str) or not found:
        raise TrackerUnreachable(f"The tracker's answer lacks {name}.")
    return found
