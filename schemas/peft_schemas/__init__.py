"""The words of PEFT Workbench: config, protocol, events, errors and findings, as pydantic models.

This is the ground floor: it imports nothing else of the project. JSON Schema, TypeScript types and the reference
pages are generated from these models.
"""

__version__ = "0.1.0"

PROTOCOL_VERSION = 1
"""Version of the `peft/*` messages. The extension refuses a daemon whose protocol version differs."""
