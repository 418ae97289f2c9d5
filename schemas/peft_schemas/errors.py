"""Errors that reach a user: one plain sentence and a way out, never a traceback."""

from typing import Literal

from peft_schemas.base import Word

ErrorCode = Literal[
    "adapter-missing",
    "base-not-servable",
    "bundle-invalid",
    "checkpoint-missing",
    "config-invalid",
    "config-missing",
    "conversion-active",
    "conversion-failed",
    "context-exceeded",
    "conversation-changed",
    "conversation-missing",
    "conversations-unreadable",
    "dataset-empty",
    "dataset-missing",
    "dataset-unreadable",
    "disk-full",
    "diverged",
    "extra-missing",
    "internal",
    "load-cancelled",
    "model-damaged",
    "model-dtype-wrong",
    "model-incomplete",
    "model-missing",
    "model-not-loaded",
    "model-tokenizer-missing",
    "model-too-large",
    "model-truncated",
    "model-unreadable",
    "move-illegal",
    "no-artifact",
    "no-target-module",
    "not-supported",
    "out-of-memory",
    "pickle-refused",
    "port-busy",
    "resume-changed",
    "run-active",
    "run-missing",
    "serve-failed",
    "tracker-refused",
    "tracker-unreachable",
    "worker-killed",
]


class ErrorReport(Word):
    """An error as it is printed, logged and sent."""

    code: ErrorCode
    message: str
    """One plain sentence that says what is wrong and where."""

    remedy: str
    """One plain sentence that says what to do."""


class WorkbenchError(Exception):
    """An expected failure with its remedy. Whatever catches it shows `message` and `remedy` and exits with 1."""

    def __init__(self, code: ErrorCode, message: str, remedy: str) -> None:
        super().__init__(message)
        self.code: ErrorCode = code
        self.message = message
        self.remedy = remedy

    def report(self) -> ErrorReport:
        """Return the error as a value of the vocabulary."""
        return ErrorReport(code=self.code, message=self.message, remedy=self.remedy)
