"""Conversations: kept over everything, shared by windows, and gone when they are deleted."""

import sqlite3
import threading
from pathlib import Path

import pytest

from peft_daemon.conversations import store
from peft_daemon.conversations.database import conversations_file
from peft_daemon.conversations.export import as_json, as_markdown
from peft_schemas.conversations import (
    ChatSettings,
    Conversation,
    ConversationAnswer,
    ConversationExchange,
    ConversationKeepParams,
    ConversationQuery,
    ConversationSummary,
)
from peft_schemas.errors import ErrorReport, WorkbenchError

SETTINGS = ChatSettings(model="base:notes-1")


def exchange(prompt: str, *answers: str) -> ConversationExchange:
    said = [ConversationAnswer(model=SETTINGS.model, text=text, finish_reason="stop") for text in answers or ("Yes.",)]
    return ConversationExchange(prompt=prompt, answers=said)


def begin(prompt: str, *answers: str) -> ConversationSummary:
    params = ConversationKeepParams(id=None, at=0, exchange=exchange(prompt, *answers), settings=SETTINGS)
    return store.keep_exchange(params)


def go_on(summary: ConversationSummary, prompt: str, *answers: str, at: int | None = None) -> ConversationSummary:
    place = summary.exchanges if at is None else at
    return store.keep_exchange(
        ConversationKeepParams(
            id=summary.id,
            revision=summary.revision,
            at=place,
            exchange=exchange(prompt, *answers),
            settings=SETTINGS,
        )
    )


def found(text: str = "") -> list[str]:
    return [one.title for one in store.find_conversations(ConversationQuery(text=text))]


def bytes_on_disk() -> bytes:
    file = conversations_file()
    return b"".join(path.read_bytes() for path in file.parent.glob(f"{file.name}*"))


def test_I7_what_was_said_is_there_again() -> None:
    first = begin("  \nWhat is a desk?\nIn detail.", "A table.")
    second = go_on(first, "And a chair?", "A seat.", "Something to sit on.")
    again = store.open_conversation(first.id)
    assert again == Conversation(
        summary=second,
        settings=SETTINGS,
        exchanges=[
            exchange("  \nWhat is a desk?\nIn detail.", "A table."),
            exchange("And a chair?", "A seat.", "Something to sit on."),
        ],
    )
    assert (second.title, second.exchanges, second.model) == ("What is a desk?", 2, "base:notes-1")


def test_an_exchange_in_place_of_an_earlier_one_takes_what_followed_with_it() -> None:
    talk = go_on(go_on(begin("one"), "two"), "three")
    edited = go_on(talk, "two, put differently", at=1)
    assert [one.prompt for one in store.open_conversation(talk.id).exchanges] == ["one", "two, put differently"]
    assert edited.revision > talk.revision


def test_two_windows_never_overwrite_each_other() -> None:
    talk = begin("one")
    go_on(talk, "from this window")
    with pytest.raises(WorkbenchError) as error:
        go_on(talk, "from the other window")
    assert error.value.code == "conversation-changed"
    assert [one.prompt for one in store.open_conversation(talk.id).exchanges] == ["one", "from this window"]


def test_windows_that_write_at_once_all_get_their_own_through() -> None:
    begin("the file is there")
    threads = [threading.Thread(target=begin, args=(f"talk {number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found()) == 9


def test_no_exchange_is_kept_beyond_the_end() -> None:
    talk = begin("one")
    with pytest.raises(WorkbenchError):
        go_on(talk, "three", at=2)


def test_conversations_are_found_by_what_was_said_in_them_whatever_the_case() -> None:
    begin("About desks", "Ein TISCH, Größe M, 100%")
    begin("About chairs", "A seat")
    assert found("tisch") == found("GRÖSSE") == found("100%") == ["About desks"]
    assert found("a_out") == []
    assert found() == ["About chairs", "About desks"]


def test_a_title_is_changed_while_another_window_goes_on() -> None:
    talk = begin("one")
    assert store.rename_conversation(talk.id, "Desks").title == "Desks"
    assert go_on(talk, "two").title == "Desks"


def test_I7_a_deleted_conversation_is_in_no_byte_of_the_file() -> None:
    kept = begin("keep this", "kept-answer")
    secret = begin("a secret-prompt", "secret-answer " * 5000)
    go_on(secret, "more secret-prompt", "secret-answer")
    assert b"secret-prompt" in bytes_on_disk()
    store.delete_conversation(secret.id)
    assert b"secret" not in bytes_on_disk()
    assert b"kept-answer" in bytes_on_disk()
    assert found() == [kept.title]
    store.delete_conversation(secret.id)
    with pytest.raises(WorkbenchError, match="deleted"):
        store.open_conversation(secret.id)


def test_what_was_edited_away_is_in_no_byte_of_the_file() -> None:
    talk = begin("my secret-prompt", "secret-answer")
    go_on(talk, "what I meant", "fine", at=0)
    store.rename_conversation(talk.id, "Renamed")
    assert b"secret" not in bytes_on_disk()


def test_nobody_else_may_read_the_file() -> None:
    begin("one")
    file = conversations_file()
    assert {path.stat().st_mode & 0o077 for path in file.parent.glob(f"{file.name}*")} == {0}


def test_a_damaged_file_is_put_aside_whole() -> None:
    begin("one")
    damaged = b"this is no database, " * 100
    conversations_file().write_bytes(damaged)
    assert found() == []
    begin("two")
    (aside,) = conversations_file().parent.glob("conversations-damaged-*.db")
    assert aside.read_bytes() == damaged
    assert found() == ["two"]


def test_a_newer_program_s_file_is_left_alone() -> None:
    begin("one")
    with sqlite3.connect(conversations_file()) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(WorkbenchError, match="newer version") as error:
        found()
    assert error.value.code == "conversations-unreadable"


def test_a_folder_that_cannot_be_made_is_said(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "file").write_text("")
    monkeypatch.setenv("PEFTW_HOME", str(home / "file"))
    with pytest.raises(WorkbenchError) as error:
        begin("one")
    assert error.value.code == "conversations-unreadable"


def test_a_conversation_is_written_out_for_people() -> None:
    report = ErrorReport(code="serve-failed", message="It ended.", remedy="Ask again.")
    failed = ConversationAnswer(model="base", finish_reason="error", error=report)
    cut = ConversationAnswer(model="base:a", text="So", finish_reason="length")
    asked = ConversationExchange(prompt="Why?", context="a = '```'", answers=[cut, failed])
    talk = store.keep_exchange(
        ConversationKeepParams(
            id=None, at=0, exchange=asked, settings=SETTINGS.model_copy(update={"system": "Be brief."})
        )
    )
    written = as_markdown(store.open_conversation(talk.id))
    assert written.file_name == "why.md"
    assert written.text == (
        "# Why?\n\n## Instructions\n\nBe brief.\n\n## You\n\n````\na = '```'\n````\n\nWhy?\n\n"
        "## base:a\n\nSo\n\n*Cut at its length limit.*\n\n## base\n\n*It ended. Ask again.*\n"
    )


def test_a_conversation_written_out_for_programs_is_all_of_it() -> None:
    talk = begin("../../etc: a name?")
    written = as_json(store.open_conversation(talk.id))
    assert Conversation.model_validate_json(written.text) == store.open_conversation(talk.id)
    assert written.file_name == "etc-a-name.json"
