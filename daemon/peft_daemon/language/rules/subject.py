"""What rules judge: a document with its effective values, and what is known of the world around it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import chain
from typing import Any

from peft_daemon.language.binding import Binding, BoundKey
from peft_daemon.language.context import CheckContext
from peft_daemon.language.rules.edits import delete_entry, has_entry, insert_below, insert_key, insert_root_key
from peft_daemon.language.rules.entries import LISTS, DatasetEntry, dataset_entries
from peft_daemon.language.rules.moves import meant_paths
from peft_daemon.language.rules.places import key_place, value_place
from peft_daemon.language.rules.values import Fault, faults, written
from peft_engine.config.document import Document, Path
from peft_engine.config.nodes import Alias, Mapping, Node, Scalar, Sequence, plain, target
from peft_engine.config.resolve import ABSENT, DECISIVE, Layer, layers_of
from peft_engine.config.schema import Key, key_at
from peft_schemas.explain import Origin
from peft_schemas.findings import Fix, Range, Related, TextEdit


@dataclass(frozen=True)
class Setting:
    """The effective value of one key and where it comes from."""

    path: str
    """Dotted: `method.type`."""

    value: Any
    origin: Origin
    bound: BoundKey | None
    """The written key; None when the value comes from elsewhere."""

    @property
    def is_written(self) -> bool:
        """Whether the value stands in the document."""
        return self.bound is not None

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(".")[2]


@dataclass(frozen=True)
class Subject:
    """A document, its keys and values matched with the language, and what is known of the world."""

    document: Document
    binding: Binding
    context: CheckContext

    @cached_property
    def values(self) -> Any:
        """What is written, as plain values."""
        return self.document.to_plain()

    @cached_property
    def shared(self) -> dict[object, Any]:
        """What one rule worked out and others need as well."""
        return {}

    def entries(self, list_: Path) -> tuple[DatasetEntry, ...]:
        """Return the written entries of one list of datasets."""
        if list_ not in self._entries:
            self._entries[list_] = tuple(dataset_entries(self.values, list_))
        return self._entries[list_]

    def all_entries(self) -> Iterator[DatasetEntry]:
        """Yield the written entries of every list of datasets."""
        return chain.from_iterable(self.entries(list_) for list_ in LISTS)

    def shared_of(self, list_: Path) -> dict[object, Any]:
        """Return what was worked out from one list of datasets and what is known of them, and from nothing else.

        A later version that lists the same has it, too.
        """
        return self._shared_of.setdefault(list_, {})

    @cached_property
    def _entries(self) -> dict[Path, tuple[DatasetEntry, ...]]:
        return {}

    @cached_property
    def _shared_of(self) -> dict[Path, dict[object, Any]]:
        return {}

    @cached_property
    def faults(self) -> tuple[tuple[BoundKey, Fault], ...]:
        """Every value that its key does not take, but for what is missing because it cannot be read."""
        return tuple(
            (bound, fault)
            for bound in self.binding.values()
            for fault in faults(bound.key, bound.entry.value)
            if not (_is_empty(fault.node) and self.is_unread(bound))
        )

    def is_unread(self, bound: BoundKey) -> bool:
        """Tell whether something behind a key, or in the lines that hang on it, could not be read."""
        if self.document.is_sound:
            return False
        source, entry = self.document.source, bound.entry
        start, end = entry.start, entry.key.end
        if isinstance(entry.value, Alias) and entry.value.target is not None:
            end = entry.value.target.start
            start = source.line_start(source.line_of(end))
            start += len(source.text[start:end]) - len(source.text[start:end].lstrip())
        line = source.line_of(end)
        column = start - source.line_start(source.line_of(start))
        while line + 1 < source.line_count:
            following = source.line(line + 1)
            text = following.lstrip(" \t")
            depth = len(following) - len(text)
            if text and (depth < column or (depth == column and text[0] not in "-:")):
                break
            line += 1
        return any(end <= problem.start <= source.line_end(line) for problem in self.document.problems)

    def setting(self, path: str) -> Setting | None:
        """Return the effective value of a key outside lists, None when it cannot be known.

        It cannot be known when what is written there or in its section's place is faulty, when its section is missing
        though there must be one, or when the key is absent and a part of the text cannot be read, a misspelt key may
        have meant it, or a preset that cannot be found may hold it.
        """
        if path not in self.asked:
            self.asked[path] = self._find_setting(path)
        return self.asked[path]

    def _find_setting(self, path: str) -> Setting | None:
        parts, key = _key(path)
        if self._unwritten and any(parts[:length] in self._unwritten for length in range(len(parts) + 1)):
            return None
        bound = self.binding.at(parts)
        if bound is not None:
            value = bound.entry.value
            if key.section is None and (faults(key, value) or not _is_defined(value) or self.is_unread(bound)):
                return None
            return Setting(path, plain(bound.entry.value), "user", bound)
        if self._may_be_meant(parts):
            return None
        for layer in self.layers[1:]:
            value = layer.get(path)
            if value is not ABSENT:
                return Setting(path, value, layer.origin, None)
        return _default(path)

    def inherit(self, before: "Subject", settings: dict[str, Setting | None]) -> None:
        """Take what an earlier version worked out, so that it need not be worked out again.

        Args:
            before: A version whose `decisive` values are the same.
            settings: Its settings that are the same here, and stand where they stood.
        """
        self.asked.update(settings)
        if "layers" in vars(before):
            vars(self)["layers"] = before.layers

    def inherit_entries(self, before: "Subject", list_: Path) -> None:
        """Take the entries of a list from an earlier version that lists the same and knows the same of them."""
        if list_ in before._entries:
            self._entries[list_] = before._entries[list_]
            self._shared_of[list_] = before.shared_of(list_)

    def settings(self, *paths: str) -> tuple[Setting, ...] | None:
        """Return several effective values, None when one of them cannot be known."""
        found = [self.setting(path) for path in paths]
        known = tuple(setting for setting in found if setting is not None)
        return known if len(known) == len(paths) else None

    def place(self, settings: Iterable[Setting], *, at_key: bool = False) -> tuple[Range, list[Related]]:
        """Return the range of a finding about some values, and the further places that it comes from.

        The first value that is written is its place, or with `at_key` the key of that value. A value that a profile,
        template or preset brought has the place of that name.
        """
        places: list[tuple[Setting, Range, list[Related]]] = []
        for setting in settings:
            bound = setting.bound or self.binding.at((setting.origin,))
            if bound is None:
                continue
            range_, related = value_place(self.document, bound.entry.value, bound.via)
            value = target(bound.entry.value)
            if isinstance(value, Scalar) and value.style == "empty":
                range_ = self.document.range(bound.entry.key)
            if at_key and setting.is_written and not any(other.is_written for other, _, _ in places):
                range_, related = key_place(self.document, bound.entry, bound.via)
            places.append((setting, range_, related))
        # What is written comes before what a profile brings.
        places.sort(key=lambda place: not place[0].is_written)
        if not places:
            return self.document.source.range(0, self.document.source.line_end(0)), []
        _, range_, related = places[0]
        for setting, other, _ in places[1:]:
            if other != range_ and all(known.range != other for known in related):
                brought = "" if setting.is_written else f" brings {setting.path}"
                named = setting.path if setting.is_written else setting.origin
                message = f"`{named}`{brought}: {written_value(setting.value)}."
                related = [*related, Related(range=other, message=message)]
        return range_, related

    def set(self, path: str, value: Any, *, title: str | None = None) -> list[Fix]:
        """Return the fix that gives a key outside lists a value, none where that cannot be done in place."""
        text = written_value(value)
        edit = self.set_edit(path, value)
        return [] if edit is None else [Fix(title=title or f"Set `{path}` to `{text}`", edits=[edit])]

    def set_edit(self, path: str, value: Any) -> TextEdit | None:
        """Return the edit behind `set`, for fixes that change several keys."""
        text = written_value(value)
        parts = tuple(path.split("."))
        bound = self.binding.at(parts)
        if bound is not None:
            if bound.via is not None or isinstance(bound.entry.value, Alias):
                return None
            node = bound.entry.value
            spaced = text if not isinstance(node, Scalar) or node.style != "empty" else f" {text}"
            return TextEdit(range=self.document.range(node), newText=spaced)
        if len(parts) == 1:
            return insert_root_key(self.document, f"{path}: {text}")
        if len(parts) != 2:
            return None
        holder = self.binding.at(parts[:1])
        if holder is None:
            return insert_root_key(self.document, f"{parts[0]}:\n  {parts[1]}: {text}")
        if holder.via is not None or isinstance(holder.entry.value, Alias):
            return None
        if isinstance(holder.entry.value, Mapping):
            return insert_key(self.document, holder.entry.value, f"{parts[1]}: {text}")
        if isinstance(holder.entry.value, Scalar) and holder.entry.value.style == "empty":
            return insert_below(self.document, holder.entry, f"{parts[1]}: {text}")
        return None

    def remove(self, path: str, *, title: str | None = None) -> list[Fix]:
        """Return the fix that deletes a written key, none where that cannot be done in place."""
        edit = self.remove_edit(path)
        return [] if edit is None else [Fix(title=title or f"Delete `{path}`", edits=[edit])]

    def remove_edit(self, path: str) -> TextEdit | None:
        """Return the edit behind `remove`: the key with its line, and its section when nothing is left in that."""
        parts: Path = tuple(path.split("."))
        bound = self.binding.at(parts)
        if bound is None or bound.via is not None:
            return None
        holder = self.document.find(parts[:-1])
        mapping = None if holder is None or holder.via is not None else target(holder.value)
        if not isinstance(mapping, Mapping) or not has_entry(mapping, bound.entry):
            return None
        if len(mapping.entries) == 1 and len(parts) > 1:
            return self.remove_edit(".".join(map(str, parts[:-1])))
        return delete_entry(self.document, mapping, bound.entry)

    def _may_be_meant(self, parts: tuple[str, ...]) -> bool:
        if not self.document.is_sound or parts in self._meant:
            return True
        preset = self.binding.at(("preset",))
        if preset is None or parts == ("preset",):
            return False
        return self._named("preset") not in self.context.presets

    @cached_property
    def asked(self) -> dict[str, Setting | None]:
        """The settings that were asked for so far, by path: many rules ask for the same few."""
        return {}

    @cached_property
    def _unwritten(self) -> frozenset[Path]:
        """Paths at which nothing stands that must be there, or something else than a section or list that belongs."""
        misshapen = {misshapen.path for misshapen in self.binding.misshapen}
        return frozenset(misshapen | {absent.path for absent in self.binding.absent})

    @cached_property
    def _meant(self) -> frozenset[Path]:
        """Paths that misspelt and foreign keys may have been meant for."""
        return frozenset(path for stray in self.binding.stray[:50] for path in meant_paths(stray))

    @cached_property
    def layers(self) -> list[Layer]:
        """What fills the config, the strongest first. The first holds only what the others depend on."""
        return layers_of(self.decisive, None, preset=self.context.presets.get(self.decisive["preset"]))

    @cached_property
    def decisive(self) -> dict[str, Any]:
        """What is written of the values on which those of other sections depend."""
        written_here: dict[str, Any] = {name: self._named(name) for name in _BRINGING}
        for path in DECISIVE:
            section, name = path.split(".")
            bound = self.binding.at((section, name))
            if bound is not None and (bound.key.section is not None or not faults(bound.key, bound.entry.value)):
                written_here.setdefault(section, {})[name] = plain(bound.entry.value)
        return written_here

    def _named(self, key: str) -> str | None:
        """Return the name that stands under a top-level key, None when no text does."""
        bound = self.binding.at((key,))
        value = None if bound is None else plain(bound.entry.value)
        return value if isinstance(value, str) else None


_BRINGING = ("template", "profile", "preset")
"""The keys that name a set of values."""

DECISIVE_KEYS = frozenset((*_BRINGING, *(path.partition(".")[0] for path in DECISIVE)))
"""The top-level keys in which stands what settings of other sections depend on."""


@cache
def _key(path: str) -> tuple[tuple[str, ...], Key]:
    """Return a dotted path's parts, and the key of the language that is there."""
    parts = tuple(path.split("."))
    key = key_at(parts)
    if key is None:
        raise KeyError(path)
    return parts, key


@cache
def _default(path: str) -> Setting:
    return Setting(path, _key(path)[1].default, "default", None)


def _is_empty(node: Node) -> bool:
    value = target(node)
    return isinstance(value, Scalar) and not value.raw.strip()


def _is_defined(node: Node) -> bool:
    """Tell whether a value is there in full: an alias without an anchor stands for nothing that could be judged."""
    value = target(node)
    return all(_is_defined(item) for item in value.items) if isinstance(value, Sequence) else value is not None


def written_value(value: Any) -> str:
    """Write an effective value as YAML that reads back as the same value."""
    return written(value)
