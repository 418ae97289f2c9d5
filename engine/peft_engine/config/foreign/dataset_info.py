"""LLaMA-Factory's `dataset_info.json`, which says what the names of its datasets stand for."""

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from peft_engine.config.foreign.draft import UNUSABLE, Draft
from peft_engine.config.foreign.source import Leaf

_MOST_BYTES = 4_000_000
"""Bytes of the longest `dataset_info.json` that is read; LLaMA-Factory's own has 20,000."""

_ALPACA = {"prompt": "instruction", "query": "input", "response": "output"}
"""LLaMA-Factory's names of the columns of an alpaca record, and ours."""

_REMOTE = ("hf_hub_url", "ms_hub_url", "om_hub_url")

_FIELDS = {("from", "value"): "sharegpt", ("role", "content"): "messages"}
"""The fields of a turn, and the format here that has them."""

_SPEAKERS = frozenset(
    {"human", "user", "gpt", "assistant", "observation", "tool", "function_call", "function", "system"}
)
"""Names of speakers that are understood without being told."""

_SPEAKER_TAGS = ("user_tag", "assistant_tag", "observation_tag", "function_tag", "system_tag")


def dataset_info(beside: Path | None, folder: str) -> tuple[Mapping[str, Any], str]:
    """Return the content of `dataset_info.json` and its folder as seen from the config; nothing when there is none.

    Args:
        beside: The config's folder.
        folder: The folder of datasets that the config names.
    """
    if beside is None:
        return {}, ""
    for where in (folder, "", "data"):
        path = beside / where / "dataset_info.json"
        if path.is_file() and path.stat().st_size <= _MOST_BYTES:
            try:
                found = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue
            if isinstance(found, Mapping):
                return found, where if Path(where).parts else "."
    return {}, ""


def put_described(
    draft: Draft, leaf: Leaf | None, target: str, found: Mapping[str, Any], where: str, *, most: int | None
) -> None:
    """Set a dataset as `dataset_info.json` describes it.

    Args:
        draft: The translation.
        leaf: What names the dataset.
        target: Our entry: `datasets[0]`.
        found: The description.
        where: The folder of `dataset_info.json`.
        most: The most examples that are taken of each dataset.
    """
    remote = next((str(found[key]) for key in _REMOTE if found.get(key)), None)
    local = next((str(found[key]) for key in ("file_name", "script_url", "cloud_file_name") if found.get(key)), "")
    draft.put(f"{target}.path", remote or (local if "://" in local else str(PurePosixPath(where) / local)), leaf)
    _put_form(draft, leaf, target, found)
    if split := found.get("split"):
        draft.put(f"{target}.split", str(split), leaf)
    _put_amount(draft, leaf, target, found, most)
    _report_rest(draft, leaf, found, remote=remote is not None)


def _put_form(draft: Draft, leaf: Leaf | None, target: str, found: Mapping[str, Any]) -> None:
    columns = _section(found, "columns")
    if found.get("formatting", "alpaca") != "alpaca":
        form = _form_of_turns(draft, leaf, found)
        ours = "messages" if form == "messages" else "conversations"
        draft.put(f"{target}.format", form, leaf)
        written = str(columns.get("messages", "conversations"))
        if written != ours:
            draft.put(f"{target}.columns.{ours}", written, leaf)
    elif "prompt" in columns and "response" not in columns:
        draft.put(f"{target}.format", "text", leaf)
        if columns["prompt"] != "text":
            draft.put(f"{target}.columns.text", str(columns["prompt"]), leaf)
    else:
        draft.put(f"{target}.format", "alpaca", leaf)
        for theirs, ours in _ALPACA.items():
            if columns.get(theirs, ours) != ours:
                draft.put(f"{target}.columns.{ours}", str(columns[theirs]), leaf)
    dropped = sorted(set(columns) - {"prompt", "query", "response", "messages"})
    if dropped:
        message = f"dataset_info.json gives this dataset the columns {', '.join(dropped)}, which have no equivalent."
        draft.change(leaf, message, "warning")


def _form_of_turns(draft: Draft, leaf: Leaf | None, found: Mapping[str, Any]) -> str:
    """Return the format of a dataset of conversations, and say what of its turns is named otherwise."""
    tags = _section(found, "tags")
    fields = (str(tags.get("role_tag", "from")), str(tags.get("content_tag", "value")))
    if fields not in _FIELDS:
        message = f"A turn of this dataset has `{fields[0]}` and `{fields[1]}`. "
        message += "A turn here has `role` and `content`, or `from` and `value`; rename the fields."
        draft.change(leaf, message, "warning")
    odd = sorted({str(tags[tag]) for tag in _SPEAKER_TAGS if tag in tags} - _SPEAKERS)
    if odd:
        names = ", ".join(f"`{name}`" for name in odd)
        message = f"The speakers of this dataset are called {names}; rename them to `user`, `assistant` and `system`."
        draft.change(leaf, message, "warning")
    return _FIELDS.get(fields, "sharegpt")


def _put_amount(draft: Draft, leaf: Leaf | None, target: str, found: Mapping[str, Any], most: int | None) -> None:
    amount = found.get("num_samples")
    if not isinstance(amount, int) or amount <= 0 or (most is not None and most <= amount):
        return
    split = draft.settings.get(f"{target}.split")
    draft.put(f"{target}.split", f"{'' if split is None else split.value}[:{amount}]", leaf)
    draft.change(leaf, f"dataset_info.json draws {amount} examples at random; here the first {amount} are taken.")


def _report_rest(draft: Draft, leaf: Leaf | None, found: Mapping[str, Any], *, remote: bool) -> None:
    """Say what of a description cannot be said here."""
    parts = [f"`{found[key]}`" for key in ("subset", "folder") if found.get(key)]
    if parts:
        message = f"dataset_info.json takes the part {' in '.join(parts)} of this dataset. "
        message += "A dataset is named by its path; a part of it that has a name of its own has to be saved as a file."
        draft.change(leaf, message, "warning")
    if found.get("ranking"):
        message = "This dataset holds preferences, and the language describes supervised fine-tuning."
        draft.report(UNUSABLE, "error", message, leaf)
    if not remote and "file_name" not in found:
        message = "dataset_info.json has this dataset made by a script or fetched from a store; save its records as a "
        draft.report(UNUSABLE, "error", message + "file and name that.", leaf)


def _section(found: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = found.get(name)
    return section if isinstance(section, Mapping) else {}
