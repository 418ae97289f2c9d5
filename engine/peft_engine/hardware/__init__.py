"""What is known of the machine. Light: torch is not asked, so that the editor can."""

from peft_engine.hardware.detect import compute_capability, detect

__all__ = ["compute_capability", "detect"]
