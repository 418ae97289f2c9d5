"""`peftw convert`: a model or an adapter in another format."""

from pathlib import Path
from typing import Annotated

import typer

from peft_daemon.cli.conversion import carry_out, folder_of_model
from peft_engine.models.conversion import require_target
from peft_schemas.conversion import ConversionRequest


def command(
    model: Annotated[str, typer.Argument(help="A folder, a file, or a hub id on this machine.", metavar="MODEL")],
    to: Annotated[str, typer.Option("--to", help="safetensors, gguf:TYPE such as gguf:q4_k_m, or gguf-adapter.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file or folder to write; it must not exist.")],
    adapter: Annotated[
        Path | None, typer.Option("--adapter", help="A PEFT adapter to merge, or to convert with gguf-adapter.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON.")] = False,
) -> None:
    """Convert a model, and compare the result with its source before it gets its name.

    A result that does not say what its source says is deleted. Files with pickles are read by a process that can open
    no connection and start no program, as weights alone or not at all.
    """
    require_target(to)
    source = folder_of_model(model)
    request = ConversionRequest(
        source=str(source),
        adapter=None if adapter is None else str(adapter.absolute()),
        to=to,
        output=str(output.absolute()),
    )
    carry_out(request, as_json=as_json)
