"""Keeping, finding, renaming and deleting conversations. Synchronous: call it in a thread."""

import sqlite3
from uuid import uuid4

from peft_daemon.conversations.database import connect, writing
from peft_engine.rundir.directory import now
from peft_schemas.conversations import (
    TITLE_LIMIT,
    ChatSettings,
    Conversation,
    ConversationExchange,
    ConversationKeepParams,
    ConversationQuery,
    ConversationSummary,
)
from peft_schemas.errors import WorkbenchError

_SUMMARY = """
    SELECT id, title, created, updated, revision, settings,
        (SELECT count(*) FROM exchanges WHERE conversation = id) AS exchanges
    FROM conversations
"""

# `instr` and not `LIKE`, for which `%` and `_` would have a meaning.
_FIND = f"""{_SUMMARY}
    WHERE instr(fold(title), ?) OR EXISTS (SELECT 1 FROM exchanges WHERE conversation = id AND instr(words, ?))
    ORDER BY updated DESC, id DESC LIMIT ?
"""  # noqa: S608


def find_conversations(query: ConversationQuery) -> list[ConversationSummary]:
    """Return the conversations that have a text, the latest first."""
    wanted = query.text.casefold()
    with connect() as db:
        db.create_function("fold", 1, str.casefold, deterministic=True)
        return [_summary(row) for row in db.execute(_FIND, (wanted, wanted, query.limit))]


def open_conversation(conversation: str) -> Conversation:
    """Return a whole conversation.

    Raises:
        WorkbenchError: There is none of that id (`conversation-missing`).
    """
    with connect() as db:
        # One transaction, so that title and exchanges are of the same moment.
        db.execute("BEGIN")
        row = _row(db, conversation)
        bodies = db.execute("SELECT body FROM exchanges WHERE conversation = ? ORDER BY place", (conversation,))
        exchanges = [ConversationExchange.model_validate_json(body) for (body,) in bodies]
        db.execute("COMMIT")
    settings = ChatSettings.model_validate_json(row[5])
    return Conversation(summary=_summary(row), settings=settings, exchanges=exchanges)


def keep_exchange(kept: ConversationKeepParams) -> ConversationSummary:
    """Write an exchange at its place; what stood there and after it is gone.

    Raises:
        WorkbenchError: The conversation was deleted meanwhile (`conversation-missing`) or another window has changed
            it (`conversation-changed`).
    """
    conversation = kept.id or uuid4().hex
    exchange, settings = kept.exchange, kept.settings.model_dump_json()
    with connect() as db, writing(db):
        if kept.id is None:
            if kept.at != 0:
                raise _changed()
            db.execute(
                "INSERT INTO conversations VALUES (?, ?, ?, ?, 1, ?)",
                (conversation, _title(exchange.prompt), now(), now(), settings),
            )
        else:
            row = _row(db, conversation)
            if row[4] != kept.revision or kept.at > row[6]:
                raise _changed()
            db.execute(
                "UPDATE conversations SET updated = ?, revision = revision + 1, settings = ? WHERE id = ?",
                (now(), settings, conversation),
            )
            db.execute("DELETE FROM exchanges WHERE conversation = ? AND place >= ?", (conversation, kept.at))
        db.execute(
            "INSERT INTO exchanges VALUES (?, ?, ?, ?)",
            (conversation, kept.at, exchange.model_dump_json(), _words(exchange)),
        )
        return _summary(_row(db, conversation))


def rename_conversation(conversation: str, title: str) -> ConversationSummary:
    """Give a conversation another title. Whoever goes on with it is not disturbed.

    Raises:
        WorkbenchError: There is none of that id (`conversation-missing`).
    """
    with connect() as db, writing(db):
        _row(db, conversation)
        db.execute("UPDATE conversations SET title = ? WHERE id = ?", (title, conversation))
        return _summary(_row(db, conversation))


def delete_conversation(conversation: str) -> None:
    """Remove a conversation so that its words are in no file any more. One that is gone already is no fault."""
    with connect() as db, writing(db):
        db.execute("DELETE FROM conversations WHERE id = ?", (conversation,))


def _row(db: sqlite3.Connection, conversation: str) -> tuple[str, str, str, str, int, str, int]:
    row = db.execute(f"{_SUMMARY} WHERE id = ?", (conversation,)).fetchone()
    if row is None:
        raise WorkbenchError(
            "conversation-missing",
            "This conversation was deleted, perhaps in another window.",
            "Choose another one, or begin a new one.",
        )
    return row  # type: ignore[no-any-return]


def _summary(row: tuple[str, str, str, str, int, str, int]) -> ConversationSummary:
    conversation, title, created, updated, revision, settings, exchanges = row
    return ConversationSummary(
        id=conversation,
        title=title,
        created=created,
        updated=updated,
        model=ChatSettings.model_validate_json(settings).model,
        exchanges=exchanges,
        revision=revision,
    )


def _title(prompt: str) -> str:
    line = next((line.strip() for line in prompt.splitlines() if line.strip()), "Untitled")
    return line if len(line) <= TITLE_LIMIT else line[: TITLE_LIMIT - 1] + "…"


def _words(exchange: ConversationExchange) -> str:
    return "\n".join([exchange.prompt, *(answer.text for answer in exchange.answers)]).casefold()


def _changed() -> WorkbenchError:
    return WorkbenchError(
        "conversation-changed",
        "Another window has gone on with this conversation.",
        "Open it again to see what was said there.",
    )
