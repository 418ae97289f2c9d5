"""`peftw export`: one of our configs as another tool's file, or as JSON."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from pydantic import ValidationError

from peft_daemon.cli.check_formats import print_text
from peft_daemon.cli.output import FAILURE, OK, USAGE, err, finish, show_error
from peft_daemon.cli.translation import deliver, refuse_existing
from peft_daemon.language.check import CheckedFile, check_document
from peft_engine.config.document import Document, parse
from peft_engine.config.foreign.outgoing.write import Exported, export_config
from peft_engine.config.read import read_source
from peft_engine.config.resolve import ResolvedConfig, resolve
from peft_engine.config.write import to_json
from peft_schemas.errors import WorkbenchError
from peft_schemas.findings import FileFinding

Form = Literal["axolotl", "llamafactory", "trl", "json"]


def command(
    form: Annotated[Form, typer.Argument(help="The tool that is to read it, or json.")],
    file: Annotated[Path, typer.Argument(help="A config file.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Where the result is written.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the output when it exists.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result and the findings as JSON.")] = False,
) -> None:
    """Write a config as another tool's file, with its effective values, and say what cannot be said there.

    `json` writes what stands in the file, no more and no less. Exit code 1 when the file is no valid config.
    """
    try:
        document = parse(read_source(file))
    except WorkbenchError as error:
        show_error(error.report())
        finish(USAGE)
    refuse_existing(output, force=force)
    resolved = _resolved(document, file)
    if resolved is None:
        found = [FileFinding(path=str(file), **dict(finding)) for finding in check_document(document)]
        print_text(err, [CheckedFile(path=file, text=document.source.text, findings=found, resolved=None)])
        finish(FAILURE)
    exported = Exported(to_json(document.to_plain()), []) if form == "json" else export_config(form, document, resolved)
    deliver(file, document.source.text, exported.config, exported.findings, output=output, as_json=as_json)
    finish(OK)


def _resolved(document: Document, file: Path) -> ResolvedConfig | None:
    """Return the complete config, None when the file is none. What this machine has or can train does not matter."""
    if not document.is_sound:
        return None
    try:
        return resolve(document.to_plain(), source=file)
    except ValidationError:
        return None
