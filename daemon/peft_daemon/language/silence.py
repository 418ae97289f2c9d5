"""Rules that need not speak again: one that found nothing finds nothing while the values that it read are the same.

Most rules look at a few effective values, find them in order, and would say so again at every keystroke. Which values a
rule looks at is noted while it looks, so that nobody has to declare it and nothing can be forgotten. A rule that found
something, or looked at anything else of the document, is asked anew each time.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple, cast

from peft_daemon.language.rules.entries import LISTS, DatasetEntry, listed
from peft_daemon.language.rules.subject import DECISIVE_KEYS, Setting, Subject
from peft_engine.config.document import Path
from peft_engine.config.nodes import effective_entries
from peft_engine.config.parts import Part
from peft_engine.config.schema import walk


@dataclass(frozen=True)
class Silence:
    """What one version of a document left unsaid, for the next one."""

    subject: Subject
    """The version."""

    asked: Mapping[str, frozenset[str | Path]]
    """The settings, by path, and the lists of datasets that each silent rule looked at, by its code."""

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
            kept = _without(self.settings, change.touched)
            subject.inherit(self.subject, _without(kept, change.moved, keeping=_stands_nowhere))
        compared = self.settings.keys() - kept.keys()
        differ: set[str | Path] = {p for p in compared if not _is_same(self.settings[p], subject.setting(p))}
        for list_ in LISTS:
            if _is_same_list(self.subject.values, subject.values, list_):
                subject.inherit_entries(self.subject, list_)
            else:
                differ.add(list_)
        asked = (
            {code: paths for code, paths in self.asked.items() if differ.isdisjoint(paths)} if differ else self.asked
        )
        return Silence(subject, asked, kept)

    def grown(self, silent: Mapping[str, frozenset[str | Path]]) -> "Silence":
        """Return this with the rules that were asked anew and found nothing."""
        return Silence(self.subject, {**self.asked, **silent}, {**self.settings, **self.subject.asked})


class Watched:
    """A subject that notes what is asked of it."""

    def __init__(self, subject: Subject) -> None:
        """Watch a subject, of which nothing was asked so far."""
        self.context = subject.context
        self.asked: set[str | Path] = set()
        """The paths of the settings, and the lists of datasets, that were asked for."""

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

    def entries(self, list_: Path) -> tuple[DatasetEntry, ...]:
        """See `Subject`."""
        self.asked.add(list_)
        return self._subject.entries(list_)

    def all_entries(self) -> Iterator[DatasetEntry]:
        """See `Subject`."""
        self.asked.update(LISTS)
        return self._subject.all_entries()

    def shared_of(self, list_: Path) -> dict[object, Any]:
        """See `Subject`."""
        self.asked.add(list_)
        return self._subject.shared_of(list_)

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
    # What may keep a setting of any section from being known.
    if before.document.is_sound != now.document.is_sound or before.binding.faulty_paths != now.binding.faulty_paths:
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


def _without(
    settings: dict[str, Setting | None],
    sections: Iterable[str],
    keeping: Callable[[Setting | None], bool] = lambda _: False,
) -> dict[str, Setting | None]:
    """Return the settings but for those of some sections, of which those that pass a test are kept."""
    if not sections:
        return settings
    # Copied as a whole first: most sections stay.
    rest = dict(settings)
    for section in sections:
        for path in _paths().get(section, ()):
            if path in rest and not keeping(rest[path]):
                del rest[path]
    return rest


def _stands_nowhere(setting: Setting | None) -> bool:
    return setting is None or setting.bound is None


@cache
def _paths() -> dict[str, list[str]]:
    """Return the paths of all keys outside lists, by top-level key."""
    paths: dict[str, list[str]] = {}
    for path, _ in walk():
        paths.setdefault(path.partition(".")[0], []).append(path)
    return paths


def _keys(part: Part) -> list[str]:
    """Return the top-level keys that a part gives, those of a merge included, which stand elsewhere in its text."""
    return [] if part.entries is None else [effective.entry.name for effective in effective_entries(part.entries)]


def _is_same(before: Setting | None, now: Setting | None) -> bool:
    """Tell whether a rule would judge two settings alike. Where they stand is for saying so, not for judging."""
    if before is None or now is None:
        return before is now
    alike = before.origin == now.origin and before.is_written == now.is_written
    # As text, because true, 1 and 1.0 are equal.
    return alike and (before.value is now.value or repr(before.value) == repr(now.value))


def _is_same_list(before: Any, now: Any, list_: Path) -> bool:
    """Tell whether two versions list the same datasets. A part that did not change has the very same values."""
    olds, news = listed(before, list_), listed(now, list_)
    return len(olds) == len(news) and all(
        old is new or repr(old) == repr(new) for old, new in zip(olds, news, strict=True)
    )
