"""Numbers, truths and times as people write them, and what each most likely means."""

import re
import unicodedata
from contextlib import suppress
from datetime import datetime

from peft_engine.config.scalars import plain_value

_TRUE = frozenset({"true", "yes", "on", "y", "t", "1", "enable", "enabled", "tru", "ture", "treu"})
_FALSE = frozenset({"false", "no", "off", "n", "f", "0", "disable", "disabled", "flase", "fasle", "fales", "fals"})
_DASHES = re.compile("[\u2010-\u2015\u2212]")
_QUOTES = "\"'`\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb"
_UNSEEN = re.compile("[\u200b-\u200d\u2060\ufeff]")
_NO_ASCII = re.compile(r"[^\x00-\x7f]")
_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d*)?")
_MULTIPLE = re.compile(r"([-+]?\d+(?:\.\d+)?) ?([kKmM])i?[bB]?")
_UNIT = re.compile(r"([-+]?[\d.,_]+(?:[eE][-+]?\d+)?) ?(?:tokens?|steps?|epochs?|examples?|degrees|minutes?|min|tok)")
_MONTH = r"(\d{4})[-/.](\d\d?)[-/.](\d\d?)"
_CLOCK = r"(\d\d?)(?::?(\d\d))?(?::\d\d(?:\.\d+)?)?"
_MOMENT = re.compile(rf"{_MONTH}(?:[Tt ,]+{_CLOCK})?")
_GERMAN_MOMENT = re.compile(rf"(\d\d?)\.(\d\d?)\.(\d{{4}})(?:[Tt ,]+{_CLOCK})?")
_HOUR = re.compile(r"(\d\d?)(?:[:.h](\d\d)?)?(?: ?([ap])\.?m\.?)?")


def plainly(text: str) -> str:
    """Write a text in the characters of a keyboard.

    Full-width digits and no-break spaces become plain ones, typographic dashes a `-`; quotes around the text, commas
    and semicolons behind it, and what nobody sees go.
    """
    text = _UNSEEN.sub("", unicodedata.normalize("NFKC", text))
    return _DASHES.sub("-", text).strip().rstrip(",;").strip(_QUOTES).strip()


def unusual_character(text: str, pattern: re.Pattern[str] = _NO_ASCII) -> str:
    """Name the first character of a text that a pattern finds: `the character “zero width space”`."""
    found = pattern.search(text)
    return "" if found is None else f"the character “{unicodedata.name(found.group(), 'without a name').lower()}”"


def truth_of(text: str) -> bool | None:
    """Read a yes or no."""
    word = plainly(text).lower()
    return True if word in _TRUE else False if word in _FALSE else None


def number_of(text: str, *, whole: bool, thousand: int) -> int | float | None:
    """Read a number such as `1_000`, `10,000`, `4k` or `2048 tokens`; where it need not be whole, `10%` and `0,05`.

    Args:
        text: What is written.
        whole: Whether the number must be whole, so that a comma stands between thousands.
        thousand: What `k` means: 1000, or 1024 where lengths are counted in powers of two.
    """
    text = plainly(text)
    if unit := _UNIT.fullmatch(text):
        text = unit[1]
    if multiple := _MULTIPLE.fullmatch(text):
        return float(multiple[1]) * thousand ** (1 if multiple[2] in "kK" else 2)
    text = re.sub(r"(?<=\d)_(?=\d)", "", text)
    if _THOUSANDS.fullmatch(text):
        text = text.replace(",", "")
    elif not whole:
        text = re.sub(r"(?<=\d),(?=\d)", ".", text)
    share = text.endswith("%") and not whole
    number = plain_value(text.removesuffix("%").rstrip() if share else text)
    if isinstance(number, bool) or not isinstance(number, int | float):
        return None
    return number / 100 if share else number


def moment_of(text: str) -> str:
    """Write a date, or a date with a time, as `2026-12-24T22:00`; empty where no calendar has it."""
    text = plainly(text)
    if found := _MOMENT.match(text):
        year, month, day, hour, minute = found.groups()
    elif found := _GERMAN_MOMENT.fullmatch(text):
        day, month, year, hour, minute = found.groups()
    else:
        return ""
    if text[found.end() :].strip():  # such as another time zone
        return ""
    moment = f"{year}-{int(month):02}-{int(day):02}T{int(hour or 0):02}:{int(minute or 0):02}"
    with suppress(ValueError):
        return datetime.fromisoformat(moment).strftime("%Y-%m-%dT%H:%M")
    return ""


def window_of(text: str) -> str:
    """Write two hours of the day as `22:00-06:00`; empty where they are none, or the same."""
    hours = [_hour(part) for part in re.split(r"\s*(?:-+|\bto\b|\buntil\b)\s*", plainly(text).lower())]
    return "-".join(hours) if len(hours) == 2 and all(hours) and hours[0] != hours[1] else ""


def _hour(text: str) -> str:
    found = _HOUR.fullmatch(text)
    if found is None:
        return ""
    hour, minute = int(found[1]), int(found[2] or 0)
    if found[3] is not None:
        hour = hour % 12 + (12 if found[3] == "p" else 0) if 1 <= hour <= 12 else 99
    if (hour, minute) == (24, 0):
        hour = 0
    return f"{hour:02}:{minute:02}" if hour < 24 and minute < 60 else ""
