"""Rules that need not speak again: one that found nothing finds nothing while the values that it read are the same.

Most rules look at a few effective values, find them in order, and would say so again at every keystroke. Which values a
rule looks at is noted while it looks, so that nobody has to declare it and nothing can be forgotten. A rule that found
something, or looked at anything else of the document, is asked anew each time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from peft_daemon.language.rules.subject import Setting, Subject


@dataclass(frozen=True)
class Silence:
    """What one version of a document left unsaid, for the next one."""

    subject: Subject
    """The version."""

    asked: Mapping[str, frozenset[str]]
    """The paths of the settings that each silent rule looked at, by its code."""

    settings: Mapping[str, Setting | None]
    """What these settings are, by path."""

    def after(self, subject: Subject) -> "Silence":
        """Return the rules that are silent about a later version as well."""
        if subject.context is not self.subject.context:
            return Silence(subject, {}, {})
        if _outside_lists(subject) == _outside_lists(self.subject):
            return Silence(subject, self.asked, self.settings)
        same = {path for path, before in self.settings.items() if _is_same(before, subject.setting(path))}
        return Silence(subject, {code: paths for code, paths in self.asked.items() if paths <= same}, {})

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


def _outside_lists(subject: Subject) -> tuple[object, ...]:
    """Return what settings depend on, all of which are outside long lists: as long as this is the same, they are."""
    document, binding = subject.document, subject.binding
    return (
        [placed.part for placed in document.parts if placed.part.list_key is None],
        document.is_sound,
        [stray.path for stray in binding.stray],
        [absent.path for absent in binding.absent],
        [misshapen.path for misshapen in binding.misshapen],
    )


def _is_same(before: Setting | None, now: Setting | None) -> bool:
    """Tell whether a rule would judge two settings alike. Where they stand is for saying so, not for judging."""
    if before is None or now is None:
        return before is now
    alike = before.origin == now.origin and before.is_written == now.is_written
    # As text, because true, 1 and 1.0 are equal.
    return alike and (before.value is now.value or repr(before.value) == repr(now.value))
