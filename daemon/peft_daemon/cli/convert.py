"""`peftw convert`: a model or an adapter in another format."""

from pathlib import Path
from typing import Annotated

import typer

from peft_daemon.cli.conversion import PREPARING, carry_out
from peft_daemon.cli.output import FAILURE, err, finish, out, print_json
from peft_daemon.cli.runs_words import size
from peft_daemon.models.converting import add_result, offers_for, result_name
from peft_daemon.models.sources import source_of
from peft_engine.models.conversion import require_new, require_target
from peft_schemas.conversion import ConversionRequest


def command(
    model: Annotated[
        str, typer.Argument(help="A folder, a file, or an id as `peftw models list` shows it.", metavar="MODEL")
    ],
    to: Annotated[
        str | None, typer.Option("--to", help="safetensors, gguf:TYPE such as gguf:q4_k_m, or gguf-adapter.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The file or folder to write, which must not exist; else it is named after the model.",
        ),
    ] = None,
    adapter: Annotated[
        Path | None, typer.Option("--adapter", help="A PEFT adapter to merge, or to convert with gguf-adapter.")
    ] = None,
    add: Annotated[bool, typer.Option("--add", help="Put the result into the library.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON.")] = False,
) -> None:
    """Convert a model, and compare the result with its source before it gets its name.

    A result that does not say what its source says is deleted. Files with pickles are read by a process that can open
    no connection and start no program, as weights alone or not at all. Without `--to`, what the model can be
    converted to is listed.
    """
    if to is None:
        _print_offers(model, as_json=as_json)
        return
    require_target(to)
    written = (Path(result_name(model, to)) if output is None else output).absolute()
    require_new(written)
    source = source_of(model, PREPARING)
    chosen = source.adapter if adapter is None else adapter.absolute()
    request = ConversionRequest(
        source=str(source.path),
        adapter=None if chosen is None else str(chosen),
        to=to,
        output=str(written),
    )
    carry_out(request, as_json=as_json)
    if add and to != "gguf-adapter" and (added := add_result(written)) is not None and not as_json:
        out.print(f"The library lists it as {added.id}.", markup=False)


def _print_offers(model: str, *, as_json: bool) -> None:
    found = offers_for(model)
    if as_json:
        print_json(found)
    elif found.reason is not None:
        err.print(found.reason, markup=False)
        finish(FAILURE)
    else:
        for offer in found.offers:
            taking = "" if offer.bytes is None else f"about {size(offer.bytes)}"
            out.print(f"{offer.to:<14}{taking}".rstrip(), markup=False)
