"""Reading what answers need while the editor is idle, so that no first answer waits for a file or for a table.

What is read is found by answering, not listed: a list would miss what the next feature reads.
"""

import asyncio
import logging

from peft_daemon.language.binding import bind
from peft_daemon.language.check import check_document
from peft_daemon.language.context import NOTHING_KNOWN
from peft_daemon.language.features.completion import complete
from peft_daemon.language.features.hover import hover
from peft_daemon.language.rules.subject import Subject
from peft_daemon.workbench import WorkbenchServer
from peft_engine.config.document import parse
from peft_engine.config.text import SourceText

_log = logging.getLogger(__name__)

_SAMPLE = """\
version: 1
profile: summarization
template: lora_finetuning
model:
  base: org/model
  quantization: nf4
method:
  type: qlora
datasets:
  - path: train.jsonl
    format: alpaca
training:
  learning_rat: 1.0e-4
  lr_scheduler: cosine
"""
"""A config that asks for most of what ships as data; the misspelling for the names that other tools have."""


def warm() -> None:
    """Answer what an editor asks about a sample, and throw the answers away."""
    document = parse(SourceText(_SAMPLE))
    check_document(document, NOTHING_KNOWN)
    subject = Subject(document, bind(document), NOTHING_KNOWN)
    for line in range(document.source.line_count):
        end = document.source.line_end(line)
        complete(subject, end, snippets=True, file=None)
        hover(subject, end)


async def _warm_in_background() -> None:
    await asyncio.to_thread(warm)
    _log.info("what answers need has been read")


def register(server: WorkbenchServer) -> None:
    """Warm up once the editor is ready."""
    server.on_initialized(_warm_in_background)
