"""`peftw`: the one place where errors become sentences and exit codes."""

import os
import sys
import traceback
from typing import NoReturn

from peft_schemas.errors import ErrorReport, WorkbenchError


def main() -> NoReturn:
    """Run the command line and exit: 0 done, 1 findings or failure, 2 wrong usage, 130 interrupted."""
    if sys.argv[1:2] == ["lsp"]:
        # The editor waits for this start, which needs neither typer nor rich.
        from peft_daemon.cli import lsp

        raise SystemExit(lsp.main(sys.argv[2:]))
    # --debug is taken wherever it stands: it is wanted after a command that has just failed.
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    raise SystemExit(_run(arguments, debug="--debug" in sys.argv))


def _run(arguments: list[str], *, debug: bool) -> int:
    from typer.main import get_command

    from peft_daemon.cli import output
    from peft_daemon.cli.app import app
    from peft_daemon.system_errors import told

    try:
        # Typer itself answers wrong usage, with exit code 2, and --help.
        get_command(app).main(args=arguments, prog_name="peftw")
    except KeyboardInterrupt:
        return output.INTERRUPTED
    except BrokenPipeError:
        # The reader of a pipe left, as `head` does. Python would complain once more while flushing at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return output.FAILURE
    except WorkbenchError as error:
        if debug:
            traceback.print_exc()
        output.show_error(error.report())
        return output.FAILURE
    except OSError as error:
        if debug:
            traceback.print_exc()
        output.show_error(told(error))
        return output.FAILURE
    except Exception as error:
        if debug:
            traceback.print_exc()
        output.show_error(
            ErrorReport(
                code="internal",
                message=f"Something inside PEFT Workbench went wrong ({type(error).__name__}).",
                remedy="Run the same command with --debug and report what it prints.",
            )
        )
        return output.FAILURE
    return output.OK
