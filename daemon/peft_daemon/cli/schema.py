"""`peftw schema`: the config language as JSON Schema, for editors with a YAML language server of their own."""

import json
import sys

from peft_schemas.config import json_schema


def command() -> None:
    """Print the JSON Schema of the config language."""
    sys.stdout.write(json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n")
