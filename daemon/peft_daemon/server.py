"""The server that an editor talks to: wiring only."""

from peft_daemon.language import features
from peft_daemon.workbench import WorkbenchServer


def create_server() -> WorkbenchServer:
    """Return a server with every feature of the language registered; the services follow on demand."""
    server = WorkbenchServer(services=("peft_daemon.runs.feature", "peft_daemon.serving.feature"))
    features.register(server)
    return server
