"""`peftw export`: a run's result in another format, or a config as another tool's file or as JSON."""

from pathlib import Path
from typing import Annotated, Literal, cast, get_args

import typer

from peft_daemon.cli.check_formats import print_text
from peft_daemon.cli.conversion import PREPARING, carry_out
from peft_daemon.cli.output import FAILURE, OK, USAGE, err, finish, show_error
from peft_daemon.cli.translation import deliver, refuse_existing
from peft_daemon.language.check import CheckedFile, check_document
from peft_daemon.models.exporting import request_for_run
from peft_engine.config.document import parse
from peft_engine.config.foreign.outgoing.write import Exported, complete, export_config
from peft_engine.config.read import read_source
from peft_engine.config.write import to_json
from peft_schemas.errors import WorkbenchError
from peft_schemas.findings import FileFinding

Form = Literal["axolotl", "llamafactory", "trl", "json"]


def command(
    what: Annotated[
        str, typer.Argument(help="A run; or, before a config file, the tool: axolotl, llamafactory, trl or json.")
    ],
    file: Annotated[Path | None, typer.Argument(help="A config file, to be written for that tool.")] = None,
    gguf: Annotated[
        str | None, typer.Option("--gguf", help="Write a run's result as GGUF: f32, f16, bf16, q8_0, q4_k_m, …")
    ] = None,
    merge: Annotated[bool, typer.Option("--merge", help="Merge a run's adapter into its base.")] = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Where the result is written.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the output of a config when it exists.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Write a run's result in another format, or a config as another tool's file.

    Of a run, `--gguf f32` writes the adapter alone, `--gguf TYPE --merge` the whole model, and `--merge` the whole
    model as safetensors. Each is compared with what was trained before it gets its name.

    Of a config, its effective values are written, with what cannot be said there. `json` writes what stands in the
    file, no more and no less. Exit code 1 when the file is no valid config.
    """
    if file is None:
        if what in get_args(Form):
            err.print("Name the config file, too: peftw export TOOL FILE.")
            finish(USAGE)
        request = request_for_run(what, gguf=gguf, merge=merge, output=output, preparing=PREPARING)
        carry_out(request, as_json=as_json)
    else:
        if what not in get_args(Form) or gguf is not None or merge:
            err.print(f"A config is written for one of {', '.join(get_args(Form))}; --gguf and --merge are for runs.")
            finish(USAGE)
        _export_config(cast(Form, what), file, output, force=force, as_json=as_json)


def _export_config(form: Form, file: Path, output: Path | None, *, force: bool, as_json: bool) -> None:
    try:
        document = parse(read_source(file))
    except WorkbenchError as error:
        show_error(error.report())
        finish(USAGE)
    refuse_existing(output, force=force)
    resolved = complete(document, file)
    if resolved is None:
        found = [FileFinding(path=str(file), **dict(finding)) for finding in check_document(document)]
        print_text(err, [CheckedFile(path=file, text=document.source.text, findings=found, resolved=None)])
        finish(FAILURE)
    exported = Exported(to_json(document.to_plain()), []) if form == "json" else export_config(form, document, resolved)
    deliver(file, document.source.text, exported.config, exported.findings, output=output, as_json=as_json)
    finish(OK)
