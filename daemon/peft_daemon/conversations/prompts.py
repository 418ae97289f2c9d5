"""Prompts to try a model with: those of the use case that its run was for."""

import json

from pydantic import TypeAdapter, ValidationError

from peft_engine.profiles import load_profile
from peft_engine.rundir import find_run
from peft_schemas.chat import PromptsResult
from peft_schemas.config import ProfileName

_BASE: ProfileName = "chatbot"
"""What a base is tried with, and the adapter of a run that named no profile: these prompts ask for nothing special."""

_NAME: TypeAdapter[ProfileName] = TypeAdapter(ProfileName)


def example_prompts(run_id: str | None) -> PromptsResult:
    """Return what to ask the adapter of a run, or a base.

    Raises:
        WorkbenchError: There is no such run.
    """
    profile = load_profile(_BASE if run_id is None else _profile_of(run_id))
    return PromptsResult(title=profile.title, prompts=[prompt.text for prompt in profile.prompts])


def _profile_of(run_id: str) -> ProfileName:
    try:
        return _NAME.validate_python(json.loads(find_run(run_id).resolved.read_bytes())["config"]["profile"])
    except (OSError, ValueError, KeyError, TypeError, ValidationError):
        return _BASE
