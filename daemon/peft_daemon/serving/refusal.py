"""What the inference process refuses, and its death, as errors of ours."""

from typing import Any

from peft_schemas.errors import ErrorReport, WorkbenchError


def refused(body: dict[str, Any]) -> WorkbenchError:
    """Return the error that the body of an answer tells."""
    error = body["error"]
    if "report" in error:
        report = ErrorReport.model_validate(error["report"])
        return WorkbenchError(report.code, report.message, report.remedy)
    return WorkbenchError("serve-failed", str(error["message"]), "Change the request and ask again.")


def interrupted() -> WorkbenchError:
    """Return the error of a connection that broke."""
    return WorkbenchError(
        "serve-failed",
        "The inference process ended in the middle of the answer.",
        "Ask again: it is started anew. Its log is logs/serve.log in the state folder.",
    )
