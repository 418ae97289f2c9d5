"""Handing over a translated config: to a file or stdout, and what there is to say about it."""

from collections.abc import Sequence
from pathlib import Path

from peft_daemon.cli.check_formats import print_text
from peft_daemon.cli.output import USAGE, err, finish, out, print_json
from peft_daemon.language.check import CheckedFile
from peft_engine.files import write_atomic
from peft_schemas.findings import FileFinding, Finding
from peft_schemas.interchange import TranslationReport


def refuse_existing(output: Path | None, *, force: bool) -> None:
    """End the command when its output would replace a file that it was not told to replace."""
    if output is None or force or not output.exists():
        return
    err.print(f"{output} exists already. Choose another name, or add --force to replace it.", markup=False)
    finish(USAGE)


def deliver(
    file: Path, text: str, config: str, findings: Sequence[Finding], *, output: Path | None, as_json: bool
) -> None:
    """Write or print a config and the findings about the file that it was made from.

    Args:
        file: The file that was translated.
        text: Its text.
        config: The new config; nothing is written when it is empty.
        findings: What is not the same.
        output: Where the config is written; without it, it is printed.
        as_json: Whether both are printed as one value.
    """
    placed = [FileFinding(path=str(file), **dict(finding)) for finding in findings]
    if output is not None and config:
        write_atomic(output, config)
    if as_json:
        print_json(TranslationReport(config=config, findings=placed))
        return
    told = [finding for finding in placed if finding.severity != "hint"]
    print_text(err, [CheckedFile(path=file, text=text, findings=told, resolved=None)])
    if idle := len(placed) - len(told):
        values = "1 value needs" if idle == 1 else f"{idle} values need"
        err.print(f"Besides, {values} no attention; --json lists them.", style="dim")
    if output is not None and config:
        err.print(f"Written to {output}.", markup=False)
    elif config:
        out.print(config, markup=False, end="")
