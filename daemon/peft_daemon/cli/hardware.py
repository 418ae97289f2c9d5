"""`peftw hardware`: what this machine has."""

from typing import Annotated

import typer
from rich.table import Table

from peft_daemon.cli.output import out, print_json
from peft_engine.hardware import detect

_GIB = 2**30


def command(json: Annotated[bool, typer.Option("--json", help="Print one line of JSON.")] = False) -> None:
    """Show the processor, memory, disk and accelerators that runs can use."""
    report = detect()
    if json:
        print_json(report)
        return
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    cores = f"{report.physical_cores or '?'} cores, {report.logical_cores} threads"
    table.add_row("Trains on", f"[bold]{report.kind}[/]")
    table.add_row("Processor", f"{report.cpu or 'unknown'} ({cores})")
    table.add_row("Memory", f"{report.free_memory_bytes / _GIB:.1f} of {report.total_memory_bytes / _GIB:.1f} GiB free")
    table.add_row("Disk", f"{report.free_disk_bytes / _GIB:.1f} GiB free")
    for accelerator in report.accelerators:
        total = accelerator.total_memory_bytes
        table.add_row(accelerator.kind, accelerator.name + (f", {total / _GIB:.1f} GiB" if total else ""))
    out.print(table)
    for note in report.notes:
        out.print(note, style="dim", markup=False)
