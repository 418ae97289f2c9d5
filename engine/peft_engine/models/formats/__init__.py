"""What format a model is of, told by its content, and what can be done with it here. Nothing of it is ever run."""

from peft_engine.models.formats.answers import Answer, backends, refuse_backend, serving_answer
from peft_engine.models.formats.detect import Detected, Format, detect

__all__ = ["Answer", "Detected", "Format", "backends", "detect", "refuse_backend", "serving_answer"]
