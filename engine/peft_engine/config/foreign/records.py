"""The form of the records: conversations with their columns and roles, and the template that writes them."""

from typing import Literal

from peft_engine.config.foreign.draft import Draft
from peft_engine.config.foreign.source import Leaf


def put_conversations(
    draft: Draft,
    target: str,
    kind: Leaf | None,
    *,
    column: Leaf | None,
    role: Leaf | None,
    content: Leaf | None,
    usual_column: str,
    turns_of: Literal["messages", "sharegpt"],
) -> None:
    """Set a dataset of conversations.

    Args:
        draft: The translation.
        target: Our entry: `datasets[0]`.
        kind: What says that these are conversations.
        column: The name of the column that holds them.
        role: The name of a turn's field for who speaks: `role`, or `from` in ShareGPT's form.
        content: The name of a turn's field for what is said: `content`, or `value` in ShareGPT's form.
        usual_column: The column when none is written.
        turns_of: The form of a turn when neither field is written.
    """
    names = tuple(None if leaf is None or leaf.value is None else str(leaf.value) for leaf in (role, content))
    forms: dict[tuple[str | None, str | None], str] = {
        (None, None): turns_of,
        ("role", "content"): "messages",
        ("from", "value"): "sharegpt",
        ("role", None): "messages",
        (None, "content"): "messages",
        ("from", None): "sharegpt",
        (None, "value"): "sharegpt",
    }
    form = forms.get((names[0], names[1]))
    if form is None:
        form = turns_of
        for leaf in (role, content):
            draft.leave_out(leaf, "A turn here has `role` and `content`, or `from` and `value`; rename the fields.")
    draft.put(f"{target}.format", form, kind, role, content)
    written = usual_column if column is None or column.value is None else str(column.value)
    ours = "conversations" if form == "sharegpt" else "messages"
    if written != ours:
        draft.put(f"{target}.columns.{ours}", written, column)
    draft.confirm(column)


def put_template(draft: Draft, leaf: Leaf | None, *, own: tuple[str, ...]) -> None:
    """Read the name of a template: the model's own is what happens here, another one has to become a file."""
    draft.confirm(leaf)
    if leaf is None or leaf.value is None or "model.chat_template" in draft.settings:
        return
    name = str(leaf.value)
    if name in own:
        return
    if name.endswith((".jinja", ".jinja2", ".j2")):
        draft.put("model.chat_template", name, leaf)
        return
    draft.leave_out(
        leaf,
        f"`{name}` is a template of {draft.table.title}'s; the model's own is used. If they differ, save it as a file "
        "and name it in `model.chat_template`.",
    )
