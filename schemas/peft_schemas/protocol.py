"""The `peft/*` messages between the editor and the daemon, beside LSP's own.

Every request and notification is listed once, in `REQUESTS` and `NOTIFICATIONS`; `protocol.json` and the TypeScript
types are generated from those two tables.
"""

from dataclasses import dataclass

from peft_schemas.base import Empty, Word
from peft_schemas.chat import ChatDeltaParams, ChatModelsResult, ChatParams, ChatResult, PromptsParams, PromptsResult
from peft_schemas.conversations import (
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
from peft_schemas.hardware import HardwareReport
from peft_schemas.interchange import ConfigExportParams, ImportParams, TranslationReport
from peft_schemas.library import ModelAddParams, ModelEntry, ModelIdParams, ModelList, ModelQuery
from peft_schemas.pages import ConfigParams, FindingParams, PageResult
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
    SeriesParams,
    SeriesResult,
    VersionList,
    VersionsParams,
)
from peft_schemas.runs import (
    RunCancelParams,
    RunEventsParams,
    RunIdParams,
    RunListResult,
    RunMoveParams,
    RunMoveResult,
    RunPage,
    RunRecoverParams,
    RunResult,
    RunResumeParams,
    RunResumeResult,
    RunStartParams,
    RunStartResult,
    SubscribeParams,
    SubscribeResult,
)
from peft_schemas.serving import ServeEndpoint, ServeModelParams, ServePinParams, ServeStartParams, ServeStatus


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
    Request("peft/run/move", RunMoveParams, RunMoveResult, "Give a run that waits another place in the queue."),
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
    Request("peft/config/export", ConfigExportParams, TranslationReport, "Translate for another tool; writes nothing."),
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
