"""`peftw lsp`: the language server over stdio."""

import argparse
import gc
import logging
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec

_log = logging.getLogger(__name__)

_NEEDED = ("pydantic", "pydantic_core", "tree_sitter", "tree_sitter_yaml", "yaml", "platformdirs", "psutil", "httpx")

_OBJECTS_BETWEEN_COLLECTIONS = 50_000
"""Python's own figure, 700, has the cycle collector walk through every open document several times an edit, and find
nothing: a document is a tree. That was a tenth of the time of an edit in a file of 5,000 lines."""


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
    # Most of it is loaded only after the handshake. A damaged installation must be known before, so that the editor,
    # which then sees a server that does not start, makes it anew.
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        _log.error("this installation is damaged: %s cannot be found", ", ".join(missing))
        return 1
    # Whatever prints, here or in a child process, must not reach the pipe that carries the protocol.
    wire = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS, 20, 20)
    # We use no plugin of pydantic, and looking for one reads the metadata of every installed package.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

    from peft_daemon.lsp.stdio import serve
    from peft_daemon.server import create_server

    return serve(create_server, sys.stdin.fileno(), wire)
