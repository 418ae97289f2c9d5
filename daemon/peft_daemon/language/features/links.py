"""Document links: the hub's pages, the files that a config names, and the newest run of its name."""

import asyncio
import os
import re
from pathlib import Path
from urllib.parse import quote

from peft_daemon.language.convert import range_to_lsp
from peft_daemon.language.documents import OpenDocument
from peft_daemon.language.mentions import KINDS, Mention, mentions, openable, place_of
from peft_daemon.lsp import types
from peft_daemon.lsp.params import TextDocumentParams
from peft_daemon.workbench import WorkbenchServer
from peft_engine.config.nodes import Node, Scalar, target
from peft_engine.home import runs_dir

_HUB = "https://huggingface.co"
"""Only a page to open: nothing is asked of it. `HF_ENDPOINT` names another hub, as for the hub's own tools."""

_HUB_ID = re.compile(r"[\w.-]+(?:/[\w.-]+)?")
_HUB_PAGES = {"model": "", "dataset": "datasets/"}
"""What can stand on the hub, and where its pages are."""


def document_links(document: OpenDocument) -> list[types.DocumentLink]:
    """Return what leads out of a document. Files are looked for only when a link is resolved."""
    links = [link for mention in mentions(document) if (link := _link(document, mention)) is not None]
    name = document.document.find(("name",))
    node = None if name is None else target(name.value)
    if name is not None and isinstance(node, Scalar) and isinstance(node.value, str) and _HUB_ID.fullmatch(node.value):
        links.append({"range": _range(document, name.value), "tooltip": "Newest run", "data": {"run": node.value}})
    return links


def resolve(link: types.DocumentLink) -> types.DocumentLink:
    """Return a link with its target, without one when there is no such file or run. It looks at the disk."""
    path = None
    match link.get("data"):
        case {"run": str(name)}:
            newest = newest_run(name)
            path = None if newest is None else newest / "events.jsonl"
        case {"kind": str(kind), "text": str(text), "folder": str() | None as folder} if kind in KINDS:
            path = openable(place_of(kind, text, None if folder is None else Path(folder)))
    if path is None or not path.is_file():
        return link
    return {**link, "target": path.as_uri()}


def newest_run(name: str) -> Path | None:
    """Return the directory of the newest run of a name, None when there is none."""
    numbered = re.compile(re.escape(name) + r"-(\d+)")
    try:
        runs = [(int(match[1]), path) for path in runs_dir().iterdir() if (match := numbered.fullmatch(path.name))]
    except OSError:
        return None
    return max(runs)[1] if runs else None


def _link(document: OpenDocument, mention: Mention) -> types.DocumentLink | None:
    range_ = _range(document, mention.node)
    if mention.kind not in _HUB_PAGES or mention.is_local:
        folder = None if mention.folder is None else str(mention.folder)
        return {"range": range_, "data": {"kind": mention.kind, "text": mention.text, "folder": folder}}
    if not _HUB_ID.fullmatch(mention.text):
        return None
    hub = os.environ.get("HF_ENDPOINT") or _HUB
    page = f"{hub.rstrip('/')}/{_HUB_PAGES[mention.kind]}{quote(mention.text)}"
    return {"range": range_, "target": page, "tooltip": "Its page on the hub"}


def _range(document: OpenDocument, node: Node) -> types.Range:
    return range_to_lsp(document.document.range(node))


def register(server: WorkbenchServer) -> None:
    """Answer `textDocument/documentLink` and `documentLink/resolve`."""

    async def answer(params: TextDocumentParams) -> list[types.DocumentLink]:
        document = server.documents.get(params["textDocument"]["uri"])
        return [] if document is None else await asyncio.to_thread(document_links, document)

    async def resolved(link: types.DocumentLink) -> types.DocumentLink:
        return await asyncio.to_thread(resolve, link)

    server.feature("textDocument/documentLink", answer)
    server.feature("documentLink/resolve", resolved)
