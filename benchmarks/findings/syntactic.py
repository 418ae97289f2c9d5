"""Faults of the text itself: what is not YAML, or not YAML that a config can be."""

import random
import re

from benchmarks.findings.faults import Planted, Span, planter
from benchmarks.findings.sheet import CannotPlantError, Path, Sheet, Spot
from benchmarks.findings.surgery import Splice, insert

SECRETS = ["hf_AbCdEfGhIjKlMnOpQrStUvWxYz012345", "ghp_AbCdEfGhIjKlMnOpQrStUvWxYz01234567"]
CONTROLS = ["\x00", "\x01", "\x08", "\x1b", "\x7f"]
NAMED = ("name", "revision", "path", "base", "format", "type", "dtype")


def block_lines(text: str) -> list[int]:
    """Return where the lines start that hold one key of the root or of a section in block style.

    Raises:
        CannotPlantError: There is none.
    """
    sheet = Sheet(text)
    if re.search(r"[|>][-+]?[\r\n]|^%|^\.\.\.|^\? ", text, re.MULTILINE):
        raise CannotPlantError("more than plain lines")
    starts = []
    for path, spot in sheet.walk():
        holder = sheet.at(path[:-1])
        if spot.key is not None and holder.kind == "block":
            line = max(text.rfind("\n", 0, spot.key[0]), text.rfind("\r", 0, spot.key[0])) + 1
            if not text[line : spot.key[0]].strip(" ") and line:
                starts.append(line)
    if not starts:
        raise CannotPlantError("no lines")
    return starts


def plain_spot(text: str, dice: random.Random, names: tuple[str, ...] = NAMED) -> tuple[Path, Spot]:
    """Return a scalar of one of the keys, on one line and with neither quotes nor anchor.

    Raises:
        CannotPlantError: There is none.
    """
    found = [
        (path, spot)
        for path, spot in Sheet(text).walk()
        if spot.kind == "scalar" and path[-1] in names and text[spot.start : spot.end] == spot.value != ""
    ]
    if not found:
        raise CannotPlantError("no such value")
    return dice.choice(found)


def said(text: str, code: str, places: list[tuple[int, int]], *, fix: bool = False, also: str = "") -> Planted:
    """Return a planted text, with places as offsets."""
    sheet = Sheet(text)
    spans: frozenset[Span] = frozenset(sheet.span(*place) for place in places)
    return Planted(text, frozenset(code.split()), spans, fix, consequences=frozenset(also.split()))


@planter("unclosed-quote")
def unclosed_quote(text: str, dice: random.Random) -> Planted:
    """A quote that opens and never closes."""
    _, spot = plain_spot(text, dice)
    quote = dice.choice("\"'")
    if quote in text[spot.end :]:
        raise CannotPlantError("it would be closed further down")
    return said(Splice(spot.start, spot.start, quote).on(text), "PW001", [], also="PW002")


@planter("colon-in-a-value")
def colon_in_value(text: str, dice: random.Random) -> Planted:
    """A second `: ` on a line."""
    path, spot = plain_spot(text, dice)
    if Sheet(text).at(path[:-1]).kind != "block":
        raise CannotPlantError("needs block style")
    if not text[text.rfind("\n", 0, spot.start) + 1 : spot.start].strip():
        raise CannotPlantError("on a line of its own it becomes a key")
    broken = Splice(spot.end, spot.end, ": more").on(text)
    return said(broken, "PW001", [(spot.end, spot.end + 1), (spot.start, spot.end + 6)])


@planter("reserved-character")
def reserved(text: str, dice: random.Random) -> Planted:
    """A value that begins with a character that YAML keeps for itself."""
    _, spot = plain_spot(text, dice)
    broken = Splice(spot.start, spot.start, dice.choice("@`")).on(text)
    return said(broken, "PW001", [(spot.start, spot.start + 1), (spot.start, spot.end + 1)])


@planter("key-without-a-colon")
def no_colon(text: str, dice: random.Random) -> Planted:
    """A line that is only a word."""
    start = dice.choice(block_lines(text))
    end = re.compile(r"\r\n|\r|\n").search(text, start)
    if end is None:
        raise CannotPlantError("the last line")
    indent = re.match(" *", text[start:])
    column = start + len(indent.group() if indent else "")
    broken = Splice(start, start, f"{text[start:column]}dtypo{end.group()}").on(text)
    # As the first line of a section the word is that section's value, and what follows is indented too far.
    return said(broken, "PW002 PW107", [(column, column + 5)], also="PW001")


@planter("tab")
def tab(text: str, dice: random.Random) -> Planted:
    """A tab where the indentation has spaces."""
    starts = [start for start in block_lines(text) if text[start] == " "]
    if not starts:
        raise CannotPlantError("nothing is indented")
    start = dice.choice(starts)
    width = len(text[start:]) - len(text[start:].lstrip(" "))
    broken = Splice(start, start + width, "\t").on(text)
    return said(broken, "PW003", [(start, start + 1)], fix=width == 2, also="PW001 PW002")


@planter("odd-space")
def odd_space(text: str, dice: random.Random) -> Planted:
    """A typesetter's space where YAML counts its own: in the indentation, or behind a key's colon."""
    start = dice.choice(block_lines(text))
    odd = dice.choice("\u00a0\u2003\u3000")
    width = len(text[start:]) - len(text[start:].lstrip(" "))
    colon = re.compile(r"[\w-]+:(?= +\S)").match(text, start + width)
    if colon is not None and (not width or dice.random() < 0.5):
        at, length = colon.end(), 1
    elif width:
        length = dice.randint(1, width)
        at = start + dice.randint(0, width - length)
    else:
        raise CannotPlantError("no space on this line")
    sheet = Sheet(text)
    place = frozenset({sheet.span(at, at + length)})
    broken = Splice(at, at + length, odd * length).on(text)
    # Brackets over several lines are looked for in the text as it stands, in which the line means something else.
    return Planted(broken, frozenset({"PW011"}), place, has_fix=True, consequences=frozenset({"PW001"}))


@planter("pair-without-a-space")
def loose_pair(text: str, dice: random.Random) -> Planted:
    """A key and a value with a colon between them and no space, or with another sign."""
    start = dice.choice(block_lines(text))
    pair = re.compile(r" *(([a-z_]+): +([A-Za-z0-9./-]+)) *(?: #.*)?(?:\r\n|\n|\r|$)").match(text, start)
    if pair is None:
        raise CannotPlantError("no plain value")
    sign = dice.choice([":", "=", " = ", "\uff1a"])
    broken = Splice(pair.start(1), pair.end(1), f"{pair[2]}{sign}{pair[3]}").on(text)
    end = pair.start(1) + len(f"{pair[2]}{sign}{pair[3]}")
    sheet = Sheet(text)
    line, column = sheet.position(pair.start(1))
    place = frozenset({(line, column, line, column + end - pair.start(1))})
    # Alone in its section the line is that section's value; behind another it may continue the one above.
    # A pair that is lost from an entry may have been what told it from another.
    return Planted(broken, frozenset({"PW002", "PW107"}), place, has_fix=True, consequences=frozenset({"PW609"}))


@planter("conflict")
def conflict(text: str, dice: random.Random) -> Planted:
    """The markers that a merge leaves behind."""
    start = dice.choice(block_lines(text))
    newline = "\r\n" if "\r\n" in text else "\r" if "\r" in text else "\n"
    end = text.find(newline, start)
    if end < 0 or text[start:end].rstrip().endswith((":", "{", "[", "(", ",")) or "&" in text[start:end]:
        raise CannotPlantError("more than a line")
    line = text[start:end]
    both = newline.join(["<<<<<<< HEAD", line, "=======", line, ">>>>>>> other"])
    broken = Splice(start, end, both).on(text)
    return said(broken, "PW004", [(start, start + 12), (start, start + 7)], also="PW001 PW002 PW106")


@planter("alias-of-nothing")
def unknown_alias(text: str, dice: random.Random) -> Planted:
    """An alias without its anchor."""
    _, spot = plain_spot(text, dice)
    if text[: spot.start].rsplit(maxsplit=1)[-1].startswith("!"):
        raise CannotPlantError("an alias cannot have a tag")
    return said(Splice(spot.start, spot.end, "*absent").on(text), "PW005", [(spot.start, spot.start + 7)])


@planter("tag")
def tag(text: str, dice: random.Random) -> Planted:
    """A tag that makes objects of another language."""
    _, spot = plain_spot(text, dice)
    written = dice.choice(["!custom", "!!python/name:os.system", "!!timestamp"])
    broken = Splice(spot.start, spot.start, written + " ").on(text)
    return said(broken, "PW006", [(spot.start, spot.start + len(written))])


@planter("merge-of-no-mapping")
def merge(text: str, dice: random.Random) -> Planted:
    """A merge key with a plain value."""
    sheet = Sheet(text)
    _path, holder = dice.choice([(p, s) for p, s in sheet.walk() if s.children and not s.is_list])
    broken = insert(text, holder, "<<: 31415", dice)
    start = broken.index("<<: 31415") + 4
    return said(broken, "PW007", [(start, start + 5)])


@planter("control-character")
def control(text: str, dice: random.Random) -> Planted:
    """A character that cannot stand in YAML, in a value or a comment."""
    if dice.random() < 0.5 and (comment := re.search(r"# \w", text)):
        at = comment.end()
    else:
        at = plain_spot(text, dice, ("revision", "path", "base"))[1].end
    broken = Splice(at, at, dice.choice(CONTROLS)).on(text)
    # The place is before the character, so it can be told from the good text.
    sheet = Sheet(text)
    line, column = sheet.position(at)
    return Planted(broken, frozenset({"PW008"}), frozenset({(line, column, line, column + 1)}), has_fix=True)


@planter("secret-in-a-comment")
def secret(text: str, dice: random.Random) -> Planted:
    """A key to another service in a comment."""
    comment = re.search(r"# \w", text)
    if comment is None:
        raise CannotPlantError("no comment")
    at, written = comment.end() - 1, dice.choice(SECRETS)
    return said(Splice(at, at, written + " ").on(text), "PW823", [(at, at + len(written))])


@planter("secret-as-a-value")
def secret_value(text: str, dice: random.Random) -> Planted:
    """A key to another service where a value belongs; the place is the key alone, without quotes."""
    _, spot = plain_spot(text, dice, ("revision", "base", "path"))
    written, quote = dice.choice(SECRETS), dice.choice(["", "'", '"'])
    broken = Splice(spot.start, spot.end, f"{quote}{written}{quote}").on(text)
    at = spot.start + len(quote)
    return said(broken, "PW823", [(at, at + len(written))])


@planter("second-document")
def second_document(text: str, dice: random.Random) -> Planted:
    """Another document behind the first."""
    newline = "\r\n" if "\r\n" in text else "\r" if "\r" in text else "\n"
    if re.search(r"^\.\.\.", text, re.MULTILINE):
        raise CannotPlantError("it has an end already")
    whole = text if text.endswith(newline) else text + newline
    broken = f"{whole}---{newline}{dice.choice(['version: 1', '{}', 'a: b'])}{newline}"
    line, _ = Sheet(text).position(len(text))
    line += not text.endswith(newline)
    return Planted(broken, frozenset({"PW009"}), frozenset({(line, 0, line, 3)}), has_fix=False)


@planter("too-deep")
def too_deep(text: str, dice: random.Random) -> Planted:
    """Brackets within brackets."""
    _path, spot = plain_spot(text, dice)
    depth = dice.randint(100, 500)
    return Planted(
        Splice(spot.start, spot.end, "[" * depth + "]" * depth).on(text),
        frozenset({"PW010"}),
        frozenset(),
        has_fix=False,
    )
