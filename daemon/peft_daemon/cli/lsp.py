"""`peftw lsp`: the language server over stdio."""

import argparse
import logging
import os
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Serve an editor until it says `exit` or closes the pipe.

    Returns:
        0 when the editor announced the end by `shutdown`, else 1, as LSP asks.
    """
    parser = argparse.ArgumentParser(prog="peftw lsp", description="Speak the Language Server Protocol over stdio.")
    parser.add_argument("--stdio", action="store_true", help="The only transport; accepted because editors pass it.")
    parser.add_argument("--clientProcessId", type=int, help="Accepted because editors pass it.")
    parser.add_argument("--log-level", default="warning", choices=("debug", "info", "warning", "error"))
    options = parser.parse_args(arguments)
    logging.basicConfig(
        stream=sys.stderr, level=options.log_level.upper(), format="%(levelname)s %(name)s: %(message)s"
    )
    # Whatever prints, here or in a child process, must not reach the pipe that carries the protocol.
    wire = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    from peft_daemon.lsp.stdio import serve
    from peft_daemon.server import create_server

    return serve(create_server, sys.stdin.fileno(), wire)
