"""A real run, and what a tracker receives of it."""

import threading

from peft_daemon.tracking.connect import connect
from peft_daemon.tracking.send import send_missing
from peft_engine.rundir.tracking import read_tracker
from tests.integration.training.workshop import Workshop, finished
from tests.mlflow_server import MlflowStandIn
from tests.property.test_tracking_properties import received, stored


def test_H5_the_tracker_of_a_run_that_trains_receives_the_series_of_the_store(workshop: Workshop) -> None:
    with MlflowStandIn().serving() as server:
        run = workshop.make(
            training={"max_steps": 8},
            evaluation={"split": 0.25, "every_steps": 2},
            tracker={"type": "mlflow", "url": server.url, "experiment": "owls"},
        )
        ended = threading.Event()

        def follow() -> None:
            while not ended.wait(0.05):
                server.faults.append("deaf")
                send_missing(run, connect)

        follower = threading.Thread(target=follow)
        follower.start()
        assert finished(run).type == "completed"
        ended.set()
        follower.join()
        server.faults.clear()
        send_missing(run, connect)
        file, there = read_tracker(run), received(server, run)
    assert file is not None and file.problem is None
    assert there.series() == stored(run)
    assert {"loss", "learning_rate", "grad_norm", "tokens_per_second", "eval_loss"} <= there.series().keys()
    assert len(there.series()["loss"]) == 8
    assert (there.status, there.params["training.max_steps"], len(server.runs)) == ("FINISHED", "8", 1)
    assert there.tags["peftw.package.torch"]
