"""The daemon's part in tracking: while an editor is open, every run's tracker is kept up to it."""

from peft_daemon.tracking.duty import send_forever
from peft_daemon.workbench import WorkbenchServer


def register(server: WorkbenchServer) -> None:
    """Send what is missing from the moment the editor is ready."""
    server.on_initialized(send_forever)
