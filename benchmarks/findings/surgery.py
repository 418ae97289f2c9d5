"""Cutting into a config's text: writing a value in some legal spelling at some legal place, and taking a key out."""

import random
import re
from dataclasses import dataclass

from benchmarks.findings.sheet import CannotPlantError, Path, Sheet, Spot

WORD_SAFE = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")


@dataclass(frozen=True)
class Splice:
    """A replacement of some characters."""

    start: int
    end: int
    new: str

    def on(self, text: str) -> str:
        """Return the text with the replacement made."""
        return text[: self.start] + self.new + text[self.end :]


def put(text: str, path: Path, value: str, dice: random.Random) -> str:
    """Write a value: over the one that stands there, or as a new key at a random place of its section.

    Raises:
        CannotPlantError: The section is brought by an alias, or cannot take a key.
    """
    sheet = Sheet(text)
    spot = sheet.find(path)
    if spot is not None:
        if spot.kind == "block" or text[spot.start : spot.start + 1] in "|>" or not text[spot.start : spot.end].strip():
            raise CannotPlantError("only what stands on one line is replaced")
        if re.search(r"!\S*\s+$", text[: spot.start]):
            raise CannotPlantError("a tag says what the value is")
        if text[spot.end : spot.end + 1] == ":":
            raise CannotPlantError("a key")
        return Splice(spot.start, spot.end, value).on(text)
    holder = sheet.find(path[:-1])
    if holder is None:
        if len(path) < 2 or isinstance(path[-1], int):
            raise CannotPlantError("no section")
        inner = f"{{{path[-1]}: {value}}}"
        if dice.random() < 0.5 and sheet.root.kind == "block" and len(path) == 2:
            inner = f"\n  {path[-1]}: {value}"
        return put(text, path[:-1], inner, dice).replace(": \n  ", ":\n  ", 1)
    return insert(text, holder, f"{path[-1]}: {value}", dice)


def insert(text: str, holder: Spot, entry: str, dice: random.Random) -> str:
    """Write an entry at a random place of a mapping.

    Raises:
        CannotPlantError: It is not a mapping that can take one.
    """
    if holder.is_list or holder.kind not in ("block", "flow"):
        raise CannotPlantError("no mapping")
    keys = [child.key for child in holder.children.values() if child.key is not None]
    if holder.kind == "flow":
        if not keys:
            return Splice(holder.start + 1, holder.start + 1, entry).on(text)
        start, _ = dice.choice(keys)
        return Splice(start, start, f"{entry}, ").on(text)
    if any(text[start - 2 : start] == "? " for start, _ in keys):
        raise CannotPlantError("a mapping with question marks")
    newline = "\r\n" if "\r\n" in text else "\r" if "\r" in text else "\n"
    start, _ = dice.choice(keys)
    line = max(text.rfind("\n", 0, start), text.rfind("\r", 0, start)) + 1
    column = start - line - text.startswith("\ufeff", line)
    if "\n" not in entry and dice.random() < 0.25:
        entry += "  # 😀 why"
    entry = entry.replace("\n", newline + " " * column)
    if dice.random() < 0.3 and holder.last != len(text):
        end = _line_end(text, holder.last)
        return Splice(end, end, newline + " " * column + entry).on(text)
    return Splice(start, start, entry + newline + " " * column).on(text)


def drop(text: str, path: Path) -> str:
    """Take a key out, and its section when nothing is left in that.

    Raises:
        CannotPlantError: It carries an anchor, or shares its lines with something else.
    """
    sheet = Sheet(text)
    spot = sheet.find(path)
    if spot is None:
        return text
    holder = sheet.at(path[:-1])
    if len(holder.children) == 1:
        return drop(text, path[:-1])
    if spot.key is None or "&" in text[spot.key[0] : spot.end]:
        raise CannotPlantError("an anchor")
    names = list(holder.children)
    index = names.index(path[-1])
    if holder.kind == "flow":
        if index + 1 < len(names):
            after = holder.children[names[index + 1]].key
            if after is None:
                raise CannotPlantError("no key")
            return Splice(spot.key[0], after[0], "").on(text)
        return Splice(holder.children[names[index - 1]].end, spot.end, "").on(text)
    line = max(text.rfind("\n", 0, spot.key[0]), text.rfind("\r", 0, spot.key[0])) + 1
    if text[line : spot.key[0]].strip(" \ufeff"):
        raise CannotPlantError("not the first on its line")
    end = _line_end(text, spot.last)
    end += 2 if text[end : end + 2] == "\r\n" else 1
    return Splice(line, end, "").on(text)


def spelt(text: str, path: Path, value: str, dice: random.Random) -> tuple[str, bool]:
    """Write a value in a random spelling that means the same.

    Returns:
        The text, and whether an anchor or alias is part of the spelling: not every fix may touch those.
    """
    way = dice.choice(["plain", "plain", "plain", "spaces", "anchor", "quotes", "alias"])
    is_word = set(value) <= WORD_SAFE and value[:1].isalpha() and value not in ("true", "false", "null")
    if way == "spaces":
        value = "  " + value
    elif way == "anchor" and value[:1] not in "&*!|>" and "&planted" not in text:
        return put(text, path, "&planted " + value, dice), True
    elif way == "quotes" and is_word:
        value = dice.choice(['"{}"', "'{}'"]).format(value)
    elif way == "alias" and is_word and path != ("name",):
        first = Sheet(text).find(("name",))
        anchored = put(text, ("name",), f"&planted {value}", dice) if first is None else ""
        if anchored:
            aliased = put(anchored, path, "*planted", dice)
            if aliased.index("&planted") < aliased.index("*planted"):
                return aliased, True
    return put(text, path, value, dice), False


def _line_end(text: str, offset: int) -> int:
    if offset and text[offset - 1] in "\r\n":
        offset -= 1 + (text[offset - 2 : offset] == "\r\n")
    ends = [at for at in (text.find("\n", offset), text.find("\r", offset)) if at >= 0]
    return min(ends, default=len(text))
