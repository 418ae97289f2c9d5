"""Rules that need not speak again: one that found nothing finds nothing while the values that it read are the same.

Most rules look at a few effective values, find them in order, and would say so again at every keystroke. Which values a
rule looks at is noted while it looks, so that nobody has to declare it and nothing can be forgotten. A rule that found
something, or looked at anything else of the document, is asked anew each time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple, cast

from peft_daemon.language.rules.subject import DECISIVE_KEYS, Setting, Subject
from peft_engine.config.nodes import effective_entries
from peft_engine.config.parts import Part


@dataclass(frozen=True)
class Silence:
    """What one version of a document left unsaid, for the next one."""

    subject: Subject
    """The version."""

    asked: Mapping[str, frozenset[str]]
    """The paths of the settings that each silent rule looked at, by its code."""

    settings: dict[str, Setting | None]
    """What these settings are, by path."""

    def after(self, subject: Subject) -> "Silence":
        """Return the rules that are silent about a later version, too. It is given the settings that are the same."""
        if subject.context is not self.subject.context:
            return Silence(subject, {}, {})
        change = _change(self.subject, subject)
        if change is None:
            kept = {}
        else:
            touched, moved = change
            kept = {path: before for path, before in self.settings.items() if _section(path) not in touched}
            subject.inherit(self.subject, {p: s for p, s in kept.items() if _stands(s, moved)} if moved else kept)
        compared = self.settings.keys() - kept.keys()
        differ = {path for path in compared if not _is_same(self.settings[path], subject.setting(path))}
        asked = {code: paths for code, paths in self.asked.items() if differ.isdisjoint(paths)}
        return Silence(subject, asked, kept)

    def grown(self, silent: Mapping[str, frozenset[str]]) -> "Silence":
        """Return this with the rules that were asked anew and found nothing."""
        return Silence(self.subject, {**self.asked, **silent}, {**self.settings, **self.subject.asked})


class Watched:
    """A subject that notes what is asked of it."""

    def __init__(self, subject: Subject) -> None:
        """Watch a subject, of which nothing was asked so far."""
        self.context = subject.context
        self.asked: set[str] = set()
        """The paths of the settings that were asked for."""

        self.was_read = False
        """Whether anything else of the document was asked for."""

        self._subject = subject

    @property
    def as_subject(self) -> Subject:
        """The same as what rules take; it has all that a subject has."""
        return cast(Subject, self)

    def setting(self, path: str) -> Setting | None:
        """See `Subject`."""
        self.asked.add(path)
        return self._subject.setting(path)

    def settings(self, *paths: str) -> tuple[Setting, ...] | None:
        """See `Subject`."""
        self.asked.update(paths)
        return self._subject.settings(*paths)

    def __getattr__(self, name: str) -> Any:
        """Hand anything else on."""
        self.was_read = True
        return getattr(self._subject, name)


class _Change(NamedTuple):
    """What is not as it was in an earlier version, by top-level key."""

    touched: set[str]
    """Keys in whose text, or right behind it, something was written."""

    moved: set[str]
    """Keys whose text is the same and stands elsewhere."""


def _change(before: Subject, now: Subject) -> _Change | None:
    """Return what differs, None when it may be anything: settings depend on more than on their own section."""
    if _faults(before) != _faults(now):
        return None
    old, new = before.document.sections, now.document.sections
    touched: set[str] = set()
    moved: set[str] = set()
    for parts, others in ((old, new), (new, old)):
        above: Part | None = None
        for part, start in parts.items():
            if part not in others:
                # What cannot be read right behind a section may belong to it.
                touched.update(_keys(part), () if above is None else _keys(above))
            elif others[part] != start:
                moved.update(_keys(part))
            above = part
    if not touched.isdisjoint(DECISIVE_KEYS) and before.decisive != now.decisive:
        return None
    return _Change(touched, moved)


def _faults(subject: Subject) -> tuple[object, ...]:
    """Return what may keep a setting of any section from being known."""
    binding = subject.binding
    return (
        subject.document.is_sound,
        [stray.path for stray in binding.stray],
        [absent.path for absent in binding.absent],
        [misshapen.path for misshapen in binding.misshapen],
    )


def _stands(setting: Setting | None, moved: set[str]) -> bool:
    """Tell whether a setting is where it was, or nowhere."""
    return setting is None or setting.bound is None or _section(setting.path) not in moved


def _keys(part: Part) -> list[str]:
    """Return the top-level keys that a part gives, those of a merge included, which stand elsewhere in its text."""
    return [] if part.entries is None else [effective.entry.name for effective in effective_entries(part.entries)]


@cache
def _section(path: str) -> str:
    return path.partition(".")[0]


def _is_same(before: Setting | None, now: Setting | None) -> bool:
    """Tell whether a rule would judge two settings alike. Where they stand is for saying so, not for judging."""
    if before is None or now is None:
        return before is now
    alike = before.origin == now.origin and before.is_written == now.is_written
    # As text, because true, 1 and 1.0 are equal.
    return alike and (before.value is now.value or repr(before.value) == repr(now.value))
