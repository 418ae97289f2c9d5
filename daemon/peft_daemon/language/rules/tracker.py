"""Family `tracker`: where measurements are sent."""

from collections.abc import Iterator
from urllib.parse import SplitResult, urlsplit

from peft_daemon.language.context import CheckContext
from peft_daemon.language.rules.registry import Rule, rule
from peft_daemon.language.rules.subject import Subject
from peft_schemas.findings import Finding

_FAMILY = "tracker"
_BASE = "version: 1\nmodel:\n  base: gpt2\ndatasets:\n  - path: org/data\ntracker:\n"
_SOURCE = "MLflow docs, tracking server"


@rule(
    "PW841",
    "error",
    _FAMILY,
    "The address of the tracker is none that can be asked.",
    why="The run would train, and nothing that it measures would reach the tracker.",
    advice="Write the address of the tracking server, with `http://` or `https://` before it.",
    example=_BASE + "  type: mlflow\n  url: localhost:5000\n",
    source=_SOURCE,
)
def address_that_is_none(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find a `url` that is no http or https URL with a host."""
    found = subject.settings("tracker.url", "tracker.type")
    if found is None or found[1].value == "none":
        return
    if not _can_be_asked(str(found[0].value)):
        yield this.about(subject, "The tracker's address is no `http://` or `https://` URL.", found[0])


@rule(
    "PW842",
    "error",
    _FAMILY,
    "A name or password stands in the address of the tracker.",
    why="Configs are shared and committed, and with them the password; addresses are shown and logged, too.",
    advice="Take it out, change it at the server, and set the environment variables MLFLOW_TRACKING_URI, to the "
    "server's address, and MLFLOW_TRACKING_TOKEN.",
    example=_BASE + "  type: mlflow\n  url: https://me:secret@tracker.example.org\n",
    source=_SOURCE,
)
def password_in_address(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find a `url` with something before an `@` in front of its host."""
    url = subject.setting("tracker.url")
    parts = None if url is None else _parts(str(url.value))
    if url is not None and parts is not None and "@" in parts.netloc:
        yield this.about(subject, "The tracker's address holds a name or password, which the file may give away.", url)


@rule(
    "PW843",
    "warning",
    _FAMILY,
    "A tracker is described, and none is named.",
    why="While `type` is `none` nothing is sent anywhere, so the other keys of the section change nothing.",
    advice="Write `type: mlflow`, or delete the section.",
    example=_BASE + "  url: http://127.0.0.1:5000\n",
)
def tracker_without_type(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find a written address or experiment of no tracker."""
    found = subject.settings("tracker.type", "tracker.url", "tracker.experiment")
    if found is None or found[0].value != "none":
        return
    described = [setting for setting in found[1:] if setting.is_written]
    if described:
        message = "This has no effect: the tracker's `type` is `none`."
        # With an address that is none, that would be the next finding.
        fixes = subject.set("tracker.type", "mlflow") if _can_be_asked(str(found[1].value)) else []
        yield this.about(subject, message, *described, fixes=fixes, at_key=True)


@rule(
    "PW844",
    "information",
    _FAMILY,
    "Nothing answers at the tracker's address.",
    why="A run does not wait for its tracker. It keeps what it measures, and this is sent when the server is there.",
    advice="Start the server, for MLflow with `mlflow server`, or correct the address. Only addresses of this machine "
    "are tried, so of any other nothing is said.",
    example="# No server was started.\n" + _BASE + "  type: mlflow\n",
    source=_SOURCE,
    known=CheckContext(trackers={"http://127.0.0.1:5000": False}),
)
def tracker_that_is_not_there(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find the address of a tracker on this machine that is not running."""
    found = subject.settings("tracker.url", "tracker.type")
    if found is None or found[1].value == "none":
        return
    url = str(found[0].value)
    if subject.context.trackers.get(url) is False:
        message = f"Nothing answers at {url} now. A run keeps what it measures and sends it when the server is there."
        yield this.about(subject, message, *found)


def _can_be_asked(url: str) -> bool:
    parts = _parts(url)
    return parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname)


def _parts(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        # Looked at for its error: it is read from the text only then.
        return parts if parts.port is None or parts.port else None
    except ValueError:
        return None
