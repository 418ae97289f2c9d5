"""The libraries that can train: what each can do, what was measured of it here, and which one a run takes. Light.

The loading and training itself is in `peft_engine.training.backends`.
"""
