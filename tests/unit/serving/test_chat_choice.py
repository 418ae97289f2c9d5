"""Which model `peftw chat` takes."""

import pytest

from peft_daemon.cli.chat import choose
from peft_schemas.chat import ChatModel
from peft_schemas.errors import WorkbenchError


def model(model_id: str, run_id: str | None = None) -> ChatModel:
    return ChatModel(id=model_id, label="", base="b", run_id=run_id, context_length=1, tool_calling=False)


BASE, NEW, OLD = model("b"), model("b:new-1", "new-1"), model("b:old-1", "old-1")


def test_the_newest_adapter_is_taken_else_a_base() -> None:
    assert choose([BASE, NEW, OLD], None) is NEW
    assert choose([BASE], None) is BASE


@pytest.mark.parametrize(("wanted", "chosen"), [("b", BASE), ("b:old-1", OLD), ("old-1", OLD)])
def test_a_model_is_named_by_its_id_or_its_run(wanted: str, chosen: ChatModel) -> None:
    assert choose([BASE, NEW, OLD], wanted) is chosen


def test_a_name_that_means_nothing_lists_what_there_is() -> None:
    with pytest.raises(WorkbenchError, match="no model x") as error:
        choose([BASE, NEW], "x")
    assert "b:new-1" in error.value.remedy


def test_without_any_model_the_way_to_one_is_named() -> None:
    with pytest.raises(WorkbenchError, match="no model to chat with yet") as error:
        choose([], None)
    assert "peftw doctor" in error.value.remedy
