"""Workspace symbols: the configs of the workspace with their sections, and the runs of this user."""

import asyncio
from collections.abc import Iterable, Iterator
from pathlib import Path

from peft_daemon.language.convert import range_to_lsp
from peft_daemon.language.documents import OpenDocument
from peft_daemon.lsp import types
from peft_daemon.lsp.kinds import SymbolKind
from peft_daemon.lsp.params import WorkspaceSymbolParams
from peft_daemon.workbench import WorkbenchServer
from peft_engine.config.nodes import Mapping, Scalar, Sequence, target
from peft_engine.config.resolve import run_name
from peft_engine.rundir.directory import list_runs

MAX_SYMBOLS = 200
"""Symbols of one answer. Typing on asks again."""

_TOP: types.Range = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 0}}
_UNTITLED = Path("untitled.peft.yaml")


def workspace_symbols(
    query: str, documents: Iterable[OpenDocument], runs: Iterable[Path]
) -> list[types.WorkspaceSymbol]:
    """Return the symbols that match a query, the best first.

    Args:
        query: Characters that a name has in this order, in any case; all names match an empty one.
        documents: The configs.
        runs: The config files in run directories.
    """
    symbols = [*(symbol for document in documents for symbol in _of_config(document)), *map(_of_run, runs)]
    rated = [(rate, symbol) for symbol in symbols if (rate := match(query, symbol["name"])) is not None]
    rated.sort(key=lambda pair: (pair[0], pair[1]["name"]))
    return [symbol for _, symbol in rated[:MAX_SYMBOLS]]


def match(query: str, name: str) -> tuple[int, int] | None:
    """Return how well a name matches a query, less being better; None when it does not.

    What counts is how many characters lie between the first and the last that match, then where the first is.
    """
    wanted, within = query.casefold(), name.casefold()
    best: tuple[int, int] | None = None
    for start in range(len(within)) if wanted else ():
        if within[start] != wanted[0]:
            continue
        at = start
        for character in wanted[1:]:
            at = within.find(character, at + 1)
            if at < 0:
                return best
        rate = (at - start, start)
        best = rate if best is None else min(best, rate)
    return best if wanted else (0, 0)


def _of_config(document: OpenDocument) -> Iterator[types.WorkspaceSymbol]:
    path = document.path or _UNTITLED
    root = target(document.document.root)
    entries = root.entries if isinstance(root, Mapping) else ()
    names = {entry.name: target(entry.value) for entry in reversed(entries)}
    written = names.get("name")
    name = str(written.value) if isinstance(written, Scalar) and written.value else run_name(path)
    yield {
        "name": name,
        "kind": SymbolKind.File,
        "containerName": path.name,
        "location": {"uri": document.uri, "range": _TOP},
    }
    for entry in entries:
        if isinstance(target(entry.value), Mapping | Sequence):
            range_ = range_to_lsp(document.document.range(entry.key))
            location: types.Location = {"uri": document.uri, "range": range_}
            yield {"name": entry.name, "kind": SymbolKind.Module, "containerName": name, "location": location}


def _of_run(config: Path) -> types.WorkspaceSymbol:
    location: types.Location = {"uri": config.as_uri(), "range": _TOP}
    return {"name": config.parent.name, "kind": SymbolKind.Event, "containerName": "runs", "location": location}


def register(server: WorkbenchServer) -> None:
    """Answer `workspace/symbol`."""

    def find(query: str) -> list[types.WorkspaceSymbol]:
        runs = (run.source for run in list_runs())
        return workspace_symbols(query, server.workspace.documents(), runs)

    async def answer(params: WorkspaceSymbolParams) -> list[types.WorkspaceSymbol]:
        return await asyncio.to_thread(find, params["query"])

    server.feature("workspace/symbol", answer)
