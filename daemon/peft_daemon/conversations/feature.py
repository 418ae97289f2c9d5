"""The `peft/conversations/*` messages of the editor, and the prompts that a conversation can begin with."""

import asyncio

from peft_daemon.conversations import store
from peft_daemon.conversations.export import as_json, as_markdown
from peft_daemon.conversations.prompts import example_prompts
from peft_daemon.rpc import bind
from peft_daemon.workbench import WorkbenchServer
from peft_schemas.base import Empty
from peft_schemas.chat import PromptsParams, PromptsResult
from peft_schemas.conversations import (
    Conversation,
    ConversationExportParams,
    ConversationIdParams,
    ConversationKeepParams,
    ConversationList,
    ConversationQuery,
    ConversationRenameParams,
    ConversationSummary,
    ConversationText,
)


def register(server: WorkbenchServer) -> None:
    """Answer the messages, each in a thread of its own."""

    @bind(server, "peft/conversations/list")
    async def find(params: ConversationQuery) -> ConversationList:
        return ConversationList(conversations=await asyncio.to_thread(store.find_conversations, params))

    @bind(server, "peft/conversations/open")
    async def open_one(params: ConversationIdParams) -> Conversation:
        return await asyncio.to_thread(store.open_conversation, params.id)

    @bind(server, "peft/conversations/keep")
    async def keep(params: ConversationKeepParams) -> ConversationSummary:
        return await asyncio.to_thread(store.keep_exchange, params)

    @bind(server, "peft/conversations/rename")
    async def rename(params: ConversationRenameParams) -> ConversationSummary:
        return await asyncio.to_thread(store.rename_conversation, params.id, params.title)

    @bind(server, "peft/conversations/delete")
    async def delete(params: ConversationIdParams) -> Empty:
        await asyncio.to_thread(store.delete_conversation, params.id)
        return Empty()

    @bind(server, "peft/conversations/export")
    async def export(params: ConversationExportParams) -> ConversationText:
        conversation = await asyncio.to_thread(store.open_conversation, params.id)
        return as_json(conversation) if params.format == "json" else as_markdown(conversation)

    @bind(server, "peft/profile/prompts")
    async def prompts(params: PromptsParams) -> PromptsResult:
        return await asyncio.to_thread(example_prompts, params.run_id)
