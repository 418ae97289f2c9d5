"""An open document together with what is known of the world around it, for the features that need both."""

from peft_daemon.language.documents import OpenDocument
from peft_daemon.language.revision import Revision
from peft_daemon.workbench import WorkbenchServer


async def known(server: WorkbenchServer, document: OpenDocument) -> Revision:
    """Return a document with what is known around it."""
    context = await server.world.context(document.document, document.path)
    return Revision(document.document, context)
