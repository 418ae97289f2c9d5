"""Writes what is generated from the vocabulary: the JSON Schemas in `schemas/json/` and the pages in `docs/reference/`.

`python tools/generate.py` writes, `python tools/generate.py --check` exits with 1 when a file on disk differs.
"""

import json
import sys
from pathlib import Path
from typing import Any

from pydantic.json_schema import models_json_schema

from peft_schemas import PROTOCOL_VERSION
from peft_schemas.config import RunConfig
from peft_schemas.events import EVENT
from peft_schemas.explain import ExplainReport
from peft_schemas.findings import CheckReport
from peft_schemas.protocol import NOTIFICATIONS, REQUESTS, InitializationOptions, ServerVersion

ROOT = Path(__file__).resolve().parent.parent


def protocol_schema() -> dict[str, Any]:
    """Return one schema with every message model in `$defs` and the two tables of methods."""
    models = {
        model
        for message in (*REQUESTS, *NOTIFICATIONS)
        for model in (message.params, getattr(message, "result", message.params))
    } | {InitializationOptions, ServerVersion}
    ordered = sorted(models, key=lambda model: model.__name__)
    _, schema = models_json_schema([(model, "serialization") for model in ordered], ref_template="#/$defs/{model}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "PEFT Workbench protocol",
        "version": PROTOCOL_VERSION,
        "requests": [
            {"method": r.method, "params": r.params.__name__, "result": r.result.__name__, "summary": r.summary}
            for r in REQUESTS
        ],
        "notifications": [
            {"method": n.method, "params": n.params.__name__, "summary": n.summary} for n in NOTIFICATIONS
        ],
        "$defs": schema["$defs"],
    }


def config_schema() -> dict[str, Any]:
    """Return the JSON Schema of `.peft.yaml`, for any YAML language server."""
    schema = RunConfig.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def generated() -> dict[Path, str]:
    """Return the text of every generated file by its path."""
    schemas = {
        "config.json": config_schema(),
        "protocol.json": protocol_schema(),
        "events.json": EVENT.json_schema(),
        "check-report.json": CheckReport.model_json_schema(),
        "explain-report.json": ExplainReport.model_json_schema(),
    }
    return {
        ROOT / "schemas/json" / name: json.dumps(s, indent=2, ensure_ascii=False) + "\n" for name, s in schemas.items()
    }


def main() -> int:
    """Write the files, or with `--check` report those that differ."""
    check = "--check" in sys.argv[1:]
    stale = []
    for path, text in generated().items():
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(path.relative_to(ROOT))
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    for path in stale:
        print(f"{'differs from the models' if check else 'wrote'}: {path}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
