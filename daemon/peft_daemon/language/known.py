"""An open document together with what is known of the world around it, for the features that need both."""

import asyncio

from peft_daemon.language.context import gather
from peft_daemon.language.documents import OpenDocument
from peft_daemon.language.revision import Revision


async def known(document: OpenDocument) -> Revision:
    """Return a document with what is known around it. Files are looked at beside the loop: a disk may be slow."""
    context = await asyncio.to_thread(gather, document.document, document.path)
    return Revision(document.document, context)
