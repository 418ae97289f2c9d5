"""Conversions as commands: what is being done, and what came of it."""

from rich.progress import BarColumn, Progress, TextColumn

from peft_daemon.cli.output import err, out, print_json
from peft_daemon.cli.runs_words import size
from peft_daemon.models.sources import Preparing
from peft_engine.models.conversion import convert_model
from peft_schemas.conversion import ConversionProgress, ConversionRequest

PREPARING = Preparing(lambda step: err.print(step, markup=False))
"""Says on the terminal when a base is made ready first."""


def carry_out(request: ConversionRequest, *, as_json: bool) -> None:
    """Convert, show how far it is, and print the result.

    Raises:
        WorkbenchError: There is no such conversion, or it failed; nothing is left of it.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
    with Progress(*columns, console=err, transient=True, disable=as_json) as bar:
        task = bar.add_task("starting", total=None)

        def show(progress: ConversionProgress) -> None:
            total = None if progress.share is None else 1
            bar.update(task, description=progress.step, total=total, completed=progress.share or 0)

        result = convert_model(request, show)
    if as_json:
        print_json(result)
        return
    compared = (
        "the same numbers, bit by bit"
        if result.comparison == "bits"
        else f"its logits differ from the source's by {result.difference:.2%}, of {result.tolerance:.0%} allowed"
    )
    out.print(f"Written to {result.output} ({size(result.bytes)}); {compared}.", markup=False)
