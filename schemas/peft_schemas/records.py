"""What is kept of runs beside their events: notes, versions, series, and what could be cleaned up."""

from typing import Annotated, Any, Literal

from pydantic import Field

from peft_schemas.base import Word

VERSION_PATTERN = r"^\d+\.\d+\.\d+$"


class RunNotes(Word):
    """`notes.json` of a run directory: what a person says about the run."""

    pinned: bool = False
    """Whether nothing that cleans up may take it."""

    tags: list[Annotated[str, Field(min_length=1, max_length=64)]] = []
    text: str = ""


class NoteParams(Word):
    """Change what is noted of a run; what is left out stays."""

    run_id: str
    pinned: bool | None = None
    tags: list[Annotated[str, Field(min_length=1, max_length=64)]] | None = None
    text: str | None = None


class VersionRecord(Word):
    """`version.json` of a run directory: the model version that a completed run made. Written once."""

    name: str
    """The model's name, which is the config's."""

    version: Annotated[str, Field(pattern=VERSION_PATTERN)]
    """`major.minor.patch`, unique for the name, and higher than every one before it."""

    run_id: str
    parent: str | None
    """The version before it, None for the first."""

    change: Literal["first", "major", "minor", "patch"]
    changed: list[str]
    """The config keys that are not as in the parent; `data` and `data format` for what the files hold."""

    completed: str
    """RFC 3339, when the run completed."""

    config: dict[str, Any]
    """The effective config."""

    config_sha256: str
    """Of the effective config as JSON with sorted keys and no spaces."""

    data: dict[str, str]
    """The SHA-256 of each data file by its name in the config's order."""

    formats: list[str]
    """The formats that the data was read in, sorted."""

    metrics: dict[str, float | None]
    """The newest value of each metric; those of evaluations begin with `eval_`."""

    artifacts: dict[str, str]
    """The SHA-256 of each file of the result by its path in the run directory."""


class VersionsParams(Word):
    """Ask for versions."""

    name: str | None = None
    """Of one model; None for all."""


class VersionList(Word):
    """Versions by name, newest first."""

    versions: list[VersionRecord]


class SeriesParams(Word):
    """Ask for measurements of a run."""

    run_id: str
    metrics: list[str] = []
    """None for all of them."""

    points: Annotated[int, Field(ge=10, le=10_000)] = 1000
    """The most points that a metric comes with."""

    first_step: int = 0
    last_step: int | None = None


class Series(Word):
    """One metric of a run. With fewer points than there are, those are kept that a line is drawn through: extremes above all."""

    metric: str
    steps: list[int]
    values: list[float | None]
    """As many; None where the measurement was no finite number."""

    total: int
    """How many points there are between the two steps."""


class SeriesResult(Word):
    """The series that were asked for, by the names of their metrics."""

    series: list[Series]


class Condition(Word):
    """One condition on a run: `state = failed`, `loss < 0.5`."""

    key: str
    """`state`, `base`, `method`, `name`, `tag`, `version`, `created`, `updated`, or the name of a metric."""

    op: Literal["=", "<", "<=", ">", ">="]
    value: str | float


class RunQuery(Word):
    """Ask for the runs that meet every condition."""

    where: list[Condition] = []
    sort: str = "created"
    """`created`, `updated`, `name`, or the name of a metric."""

    descending: bool = True
    limit: Annotated[int, Field(ge=1, le=10_000)] = 100
    offset: Annotated[int, Field(ge=0)] = 0


class Artifact(Word):
    """A file or folder that a run made, and whether it is still there."""

    path: str
    """Relative to the run directory."""

    sha256: str
    bytes: int | None
    """None when it is gone."""

    present: bool


class ArtifactList(Word):
    """What a run made."""

    artifacts: list[Artifact]


class Removable(Word):
    """Something that could be removed."""

    id: str
    """What it is called when it is chosen: `demo-1`, `demo-1/checkpoints/step-000050`, `demo-1/worker.log`."""

    run_id: str
    kind: Literal["run", "checkpoint", "log"]
    bytes: int
    reason: str
    """Why it is offered, in a few words."""

    preselected: bool
    """Whether a rule of the settings names it. What is pinned and the only copy of a version are never preselected."""


class CleanupPlan(Word):
    """What could be removed. Nothing is, before a person has chosen."""

    items: list[Removable]
    """The preselected first, then by size."""

    bytes: int
    """What the preselected ones come to."""

    free_bytes: int
    low: bool
    """Whether there is less free space than the settings want."""


class CleanupParams(Word):
    """Remove what a person chose from a plan."""

    ids: list[str]


class CleanupResult(Word):
    """What was removed."""

    removed: list[str]
    bytes: int
    kept: list[str]
    """What was chosen and is kept, because it is at work, pinned, or gone already."""


class BundleFile(Word):
    """A file of a bundle."""

    path: str
    """Relative to the run directory, with `/`."""

    bytes: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class BundleManifest(Word):
    """`bundle.json`, the first file of an exported experiment: what the others are."""

    format: Literal[1]
    run_id: str
    name: str
    exported: str
    """RFC 3339."""

    files: list[BundleFile]


class ExportParams(Word):
    """Write an experiment to a file."""

    run_id: str
    path: str
    """A new file whose name ends in `.tar.gz` or `.zip`."""

    checkpoints: bool = False
    """Take the checkpoints along."""


class ImportBundleParams(Word):
    """Bring an exported experiment in."""

    path: str
