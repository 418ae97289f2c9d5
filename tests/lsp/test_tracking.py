"""What an editor is told of the trackers of runs, while the daemon sends to them."""

from tests.lsp.client import Client
from tests.mlflow_server import MlflowStandIn
from tests.unit.tracking.test_shown import tracked


def test_H5_an_editor_is_told_that_a_tracker_cannot_be_reached_and_that_it_has_everything(fresh: Client) -> None:
    with MlflowStandIn().serving() as server:
        server.faults = ["deaf"]
        run = tracked(server.url)
        fresh.initialize()

        def told() -> dict[str, object]:
            (summary,) = (one for one in fresh.notified("peft/runs/changed")["runs"] if one["id"] == run.id)
            tracker: dict[str, object] = summary["tracker"]
            return tracker

        tracker = told()
        while tracker["problem"] is None:
            tracker = told()
        assert "cannot be reached" in str(tracker["problem"])
        assert (tracker["missing_steps"], bool(tracker["since"]), tracker["page"]) == (2, True, None)
        while not tracker["complete"]:
            tracker = told()
        (id_,) = server.runs
        assert (tracker["problem"], tracker["page"]) == (None, f"{server.url}/#/runs/{id_}")
        listed = fresh.request("peft/runs/list", {})["result"]["runs"]
        assert listed[0]["tracker"] == tracker
