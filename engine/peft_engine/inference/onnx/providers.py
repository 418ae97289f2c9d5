"""What ONNX Runtime can compute on, here and at all."""

import onnxruntime

from peft_engine.settings import OnnxProvider as Provider
from peft_schemas.errors import WorkbenchError

_NAMES: dict[Provider, str] = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "dml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
}
"""Our ids, which ONNX Runtime GenAI shares, and what ONNX Runtime calls them."""

__all__ = ["Provider", "available_providers", "require_provider"]


def available_providers() -> list[Provider]:
    """Return the providers that this build of ONNX Runtime has."""
    built = onnxruntime.get_available_providers()
    return [provider for provider, name in _NAMES.items() if name in built]


def require_provider(provider: Provider) -> None:
    """See that a provider is there.

    Raises:
        WorkbenchError: It is not (`not-supported`).
    """
    available = available_providers()
    if provider not in available:
        raise WorkbenchError(
            "not-supported",
            f"serving.onnx_provider is {provider}, but ONNX Runtime has only {', '.join(available)} here.",
            "Choose one of those in settings.yaml, or install the build of onnxruntime-genai for that hardware.",
        )
