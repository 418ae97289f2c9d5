"""The `peft/*` messages between the editor and the daemon, beside LSP's own.

Every request and notification is listed once, in `REQUESTS` and `NOTIFICATIONS`; the TypeScript types and the reference
page are generated from those two tables.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from peft_schemas.base import Word
from peft_schemas.conversations import (
    AnswerMeasures,
    Conversation,
    ConversationExportParams,
    ConversationIdParams,
    ConversationKeepParams,
    ConversationList,
    ConversationQuery,
    ConversationRenameParams,
    ConversationSummary,
    ConversationText,
)
from peft_schemas.conversion import ConversionOffers, ConvertParams, ConvertProgressParams, ConvertResult
from peft_schemas.errors import ErrorReport
from peft_schemas.events import AnomalyEvent, AnyEvent, RecoveryAction, RunState
from peft_schemas.findings import FileFinding
from peft_schemas.hardware import HardwareReport
from peft_schemas.interchange import TranslationReport
from peft_schemas.library import ModelAddParams, ModelEntry, ModelIdParams, ModelList, ModelQuery
from peft_schemas.records import (
    ArtifactList,
    BundleManifest,
    CleanupParams,
    CleanupPlan,
    CleanupResult,
    ExportParams,
    ImportBundleParams,
    NoteParams,
    RunNotes,
    RunQuery,
    Series,
    SeriesParams,
    SeriesResult,
    VersionList,
    VersionsParams,
)
from peft_schemas.serving import ServeEndpoint, ServeModelParams, ServePinParams, ServeStartParams, ServeStatus


class Empty(Word):
    """Nothing to say."""


class InitializationOptions(Word):
    """What the editor says in `initializationOptions`."""

    extension_version: str
    protocol: int
    python: str | None = None
    """The interpreter that trains and serves; None for the daemon's own."""

    trusted: bool = False
    """Whether the user trusts the workspace, so that files in it may define models."""


class ServerVersion(Word):
    """`capabilities.experimental.peft` of the daemon's answer to `initialize`."""

    version: str
    protocol: int


class RunSummary(Word):
    """A run as lists and panels show it, and as `peftw runs show ID --json` prints it."""

    id: str
    name: str
    state: RunState
    base: str
    step: int
    total_steps: int | None
    directory: str
    config_path: str
    created: str
    updated: str
    metrics: dict[str, float | None]
    """The newest value of each metric."""

    eta_seconds: float | None
    error: ErrorReport | None
    checkpoint: str | None
    """The newest complete checkpoint, relative to `directory`."""

    adapter: str | None
    """The PEFT adapter's folder, relative to `directory`, once the run has completed."""

    chat_model: str | None
    """The model id to chat with this run's adapter, once it can be served."""

    attempt: int = 1
    """Which worker of this run it is: one more with each resume."""

    detail: str | None = None
    """What is being done or waited for, for people: `waiting for nightly-3, which trains on this device`."""

    elapsed_seconds: float | None = None
    """Time spent in training so far, pauses not counted; None before the first step."""

    anomalies: list[AnomalyEvent] = []
    """What is wrong with the run and not yet dealt with, newest last."""

    notes: RunNotes | None = None
    """What a person says about it, None where that was not looked at."""


class RunStartParams(Word):
    """Start a run from a config file."""

    path: str
    """The `.peft.yaml` on disk; its saved content is what runs."""


class RunStartResult(Word):
    """A started run, or the reasons why none was started. Exactly one of `run` and (`findings` or `error`) is set."""

    run: RunSummary | None
    findings: list[FileFinding] = []
    error: ErrorReport | None = None


class RunIdParams(Word):
    """Name a run."""

    run_id: str


class RunResumeParams(Word):
    """Resume a run that was paused, was stopped, or failed."""

    run_id: str
    accept_changes: bool = False
    """Go on although the config, the data or the base changed since."""


class RunCancelParams(Word):
    """Give a run up at once."""

    run_id: str
    remove: bool = False
    """Remove its checkpoints too."""


class RunRecoverParams(Word):
    """Do something about an anomaly, or take such a thing back."""

    run_id: str
    action: RecoveryAction
    anomaly: str | None = None
    undoes: str | None = None
    """For `undo`: the recovery to take back."""


class ChangedInput(Word):
    """Something that a run began with and that is another thing now."""

    what: Literal["config", "dataset", "base", "environment"]
    name: str
    """The key, the file or the package."""

    before: str | None
    after: str | None


class RunResumeResult(Word):
    """The resumed run; or what changed since, for which `accept_changes` is needed; or why it cannot be resumed."""

    run: RunSummary | None
    changes: list[ChangedInput] = []
    error: ErrorReport | None = None


class RunResult(Word):
    """A run, or why it could not be had."""

    run: RunSummary | None
    error: ErrorReport | None = None


class RunListResult(Word):
    """Runs, newest first."""

    runs: list[RunSummary]


class RunPage(Word):
    """Some of the runs that meet a query, and how many there are."""

    runs: list[RunSummary]
    total: int


class SubscribeParams(Word):
    """Follow a run's events."""

    run_id: str
    after_seq: int = 0
    """Only events with a higher `seq` are sent; 0 for all."""

    points: Annotated[int, Field(ge=10, le=10_000)] | None = None
    """Send the past as a history instead, whatever `after_seq` says: its measurements as series of at most so many points
    each, and of the other events no more than anybody reads."""


class SubscribeResult(Word):
    """The events so far. Later ones come as `peft/run/events`, with no gap and no repeat."""

    run: RunSummary | None
    events: list[AnyEvent] = []
    series: list[Series] = []
    """Of a history: the measurements up to `last_seq`; those behind are among `events`."""

    last_seq: int = 0
    """Of a history: the newest event that it takes into account, of which `events` may not have all."""

    error: ErrorReport | None = None


class RunEventsParams(Word):
    """New events of a run that is followed."""

    run: RunSummary
    events: list[AnyEvent]


class ChatModel(Word):
    """A model that can be chatted with: a base, or a base with one adapter."""

    id: str
    """`<base>` or `<base>:<run id>`, the id that the HTTP API takes."""

    label: str
    """A short name for people."""

    base: str
    run_id: str | None
    context_length: int
    tool_calling: bool
    """Whether the model's own template knows tools."""


class ChatModelsResult(Word):
    """The models that can be served on this machine now, bases first."""

    models: list[ChatModel]


class ToolCall(Word):
    """A function that the model wants to be called."""

    id: str
    name: str
    arguments: str
    """A JSON object, as the model wrote it."""


class ChatTool(Word):
    """A function that the model may ask for."""

    name: str
    description: str = ""
    parameters: dict[str, Any] = {}
    """A JSON Schema of the arguments."""


class ChatMessage(Word):
    """One turn."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    tool_calls: list[ToolCall] = []
    """Of an assistant's turn."""

    tool_call_id: str | None = None
    """Of a tool's turn: the call that it answers."""


class ChatParams(Word):
    """Ask a model. Pieces of the answer come as `peft/chat/delta` with the same `request_id`; cancel by `$/cancelRequest`."""

    request_id: str
    model: str
    messages: list[ChatMessage]
    max_tokens: int = 512
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    tools: list[ChatTool] = []
    tool_choice: Literal["auto", "required"] = "auto"
    """Whether the model decides, or has to call a tool."""


class ChatResult(Word):
    """The whole answer, or why there is none."""

    text: str
    finish_reason: Literal["stop", "length", "tool_calls", "cancelled", "error"]
    prompt_tokens: int = 0
    completion_tokens: int = 0
    measures: AnswerMeasures | None = None
    """What the answer took, when it is complete."""

    tool_calls: list[ToolCall] = []
    error: ErrorReport | None = None


class ChatDeltaParams(Word):
    """A piece of an answer."""

    request_id: str
    text: str


class ConfigParams(Word):
    """Name a config: as it is in the editor when it is open there, else as it is on disk."""

    uri: str


class PageResult(Word):
    """A text to show, or the reasons why there is none."""

    text: str | None
    findings: list[FileFinding] = []
    error: ErrorReport | None = None


class FindingParams(Word):
    """Name a finding's code."""

    code: str


class PromptsParams(Word):
    """Name a run, whose profile says what it was trained for; None for a base."""

    run_id: str | None = None


class PromptsResult(Word):
    """Prompts to try a model with."""

    title: str
    """What they are for."""

    prompts: list[str]


class ImportParams(Word):
    """Translate another tool's config. Nothing is written; the text goes to the editor."""

    tool: Literal["axolotl", "llamafactory", "torchtune", "oumi", "trl"]
    path: str


@dataclass(frozen=True)
class Request:
    """One `peft/*` request."""

    method: str
    params: type[Word]
    result: type[Word]
    summary: str


@dataclass(frozen=True)
class Notification:
    """One `peft/*` notification, sent by the daemon."""

    method: str
    params: type[Word]
    summary: str


REQUESTS: tuple[Request, ...] = (
    Request("peft/run/start", RunStartParams, RunStartResult, "Check a config and start its run."),
    Request("peft/run/stop", RunIdParams, RunResult, "Stop a run at its next step edge; its checkpoints stay."),
    Request("peft/run/pause", RunIdParams, RunResult, "Pause a run at its next step edge, after a checkpoint."),
    Request("peft/run/resume", RunResumeParams, RunResumeResult, "Resume a run that was paused, stopped, or failed."),
    Request("peft/run/cancel", RunCancelParams, RunResult, "Give a run up at once."),
    Request("peft/run/recover", RunRecoverParams, RunResult, "Do something about an anomaly, or take it back."),
    Request("peft/run/show", RunIdParams, RunResult, "Describe one run."),
    Request("peft/runs/list", Empty, RunListResult, "List all runs."),
    Request("peft/runs/find", RunQuery, RunPage, "Find runs by conditions, sorted, a page at a time."),
    Request("peft/runs/cleanup", Empty, CleanupPlan, "List what could be removed; removes nothing."),
    Request("peft/runs/clean", CleanupParams, CleanupResult, "Remove what a person chose from that list."),
    Request("peft/runs/versions", VersionsParams, VersionList, "List the versions that completed runs made."),
    Request("peft/runs/import", ImportBundleParams, RunResult, "Bring in an exported experiment."),
    Request("peft/run/export", ExportParams, BundleManifest, "Write a whole experiment to a file."),
    Request("peft/run/series", SeriesParams, SeriesResult, "Return a run's measurements, decimated."),
    Request("peft/run/artifacts", RunIdParams, ArtifactList, "List what a run made, and what of it is gone."),
    Request("peft/run/note", NoteParams, RunNotes, "Pin, tag or annotate a run; return its notes."),
    Request("peft/run/subscribe", SubscribeParams, SubscribeResult, "Follow a run's events."),
    Request("peft/run/unsubscribe", RunIdParams, Empty, "Stop following a run."),
    Request("peft/config/estimate", ConfigParams, PageResult, "Say in Markdown what a config comes to."),
    Request("peft/config/effective", ConfigParams, PageResult, "Write out every value that a run would use, as YAML."),
    Request("peft/config/plan", ConfigParams, PageResult, "Make a dry run of the saved config; starts nothing."),
    Request("peft/config/import", ImportParams, TranslationReport, "Translate another tool's config; writes nothing."),
    Request("peft/chat/models", Empty, ChatModelsResult, "List what can be chatted with; starts nothing."),
    Request("peft/chat/complete", ChatParams, ChatResult, "Ask a model; starts the inference process if need be."),
    Request("peft/conversations/list", ConversationQuery, ConversationList, "Find conversations, the latest first."),
    Request("peft/conversations/open", ConversationIdParams, Conversation, "Return a whole conversation."),
    Request("peft/conversations/keep", ConversationKeepParams, ConversationSummary, "Keep an exchange."),
    Request("peft/conversations/rename", ConversationRenameParams, ConversationSummary, "Change a title."),
    Request("peft/conversations/delete", ConversationIdParams, Empty, "Delete a conversation, to its last byte."),
    Request("peft/conversations/export", ConversationExportParams, ConversationText, "Write a conversation out."),
    Request("peft/finding/explain", FindingParams, PageResult, "Return the reference page of a finding's code."),
    Request("peft/profile/prompts", PromptsParams, PromptsResult, "Return prompts to try a model with."),
    Request("peft/serve/status", Empty, ServeStatus, "Describe the inference process."),
    Request("peft/serve/start", ServeStartParams, ServeStatus, "Start the inference process unless it runs."),
    Request("peft/serve/stop", Empty, ServeStatus, "Stop the inference process."),
    Request("peft/serve/restart", Empty, ServeStatus, "Stop the inference process and start it on the same port."),
    Request("peft/serve/load", ServeModelParams, ServeStatus, "Bring a base into memory; a cancel frees it again."),
    Request("peft/serve/unload", ServeModelParams, ServeStatus, "Free a base when its answers are complete."),
    Request("peft/serve/switch", ServeModelParams, ServeStatus, "Load a model, then make it the default."),
    Request("peft/serve/pin", ServePinParams, ServeStatus, "Keep a base in memory, or no longer."),
    Request("peft/serve/log", Empty, PageResult, "Return the end of the inference process's log."),
    Request("peft/serve/endpoint", Empty, ServeEndpoint, "Say how other programs reach the process; starts it."),
    Request("peft/models/list", ModelQuery, ModelList, "List the library: bases, the adapters on them, faults."),
    Request("peft/models/show", ModelIdParams, ModelEntry, "Describe one model."),
    Request("peft/models/scan", Empty, ModelList, "Look at the disk again and list the library."),
    Request("peft/models/add", ModelAddParams, ModelEntry, "Put a file or folder into the library."),
    Request("peft/models/remove", ModelIdParams, Empty, "Take a model off the library; its files stay."),
    Request("peft/models/offers", ModelIdParams, ConversionOffers, "List what a model can be converted to."),
    Request(
        "peft/models/convert", ConvertParams, ConvertResult, "Convert a model and put the result into the library."
    ),
    Request("peft/hardware", Empty, HardwareReport, "Describe the machine."),
)
NOTIFICATIONS: tuple[Notification, ...] = (
    Notification("peft/run/events", RunEventsParams, "New events of a followed run."),
    Notification("peft/runs/changed", RunListResult, "The runs that are new, or whose state or step changed."),
    Notification("peft/disk/low", CleanupPlan, "Space has become low, and what could be removed."),
    Notification("peft/chat/delta", ChatDeltaParams, "A piece of an answer."),
    Notification("peft/models/changed", Empty, "The library has changed."),
    Notification("peft/models/progress", ConvertProgressParams, "How far a conversion is."),
    Notification("peft/serve/changed", ServeStatus, "The inference process, or what it has in memory, changed."),
)
