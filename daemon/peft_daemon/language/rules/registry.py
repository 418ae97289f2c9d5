"""The registry of rules: every code with its family, severity and meaning, and the pure function that finds it.

A rule takes a `Subject` and yields findings. It does no I/O, changes nothing and raises nothing; a rule that lacks the
knowledge to judge stays silent. To add a rule, write the function in the module of its family and decorate it.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from peft_daemon.language.binding import Binding, BoundKey
from peft_daemon.language.context import CheckContext
from peft_daemon.language.rules.values import Fault, faults
from peft_engine.config.document import Document
from peft_schemas.findings import Finding, Fix, Range, Related, Severity, TextEdit

FAMILIES = {
    "syntax": "The text is not YAML, or not YAML that a config can be.",
    "schema": "A key or value is not in the config language.",
    "data": "The training data is not what the config says.",
    "model": "The base model is not what the config says.",
    "support": "The language has it, and this version of PEFT Workbench cannot do it yet.",
}
"""The families in their order, each with what its findings have in common."""


@dataclass(frozen=True)
class Subject:
    """What rules judge: a document, its keys and values matched with the language, and what is known of the world."""

    document: Document
    binding: Binding
    context: CheckContext

    @cached_property
    def faults(self) -> tuple[tuple[BoundKey, Fault], ...]:
        """Every value that its key does not take."""
        return tuple(
            (bound, fault) for bound in self.binding.values() for fault in faults(bound.key, bound.entry.value)
        )


@dataclass(frozen=True)
class Rule:
    """One kind of finding."""

    code: str
    family: str
    severity: Severity
    summary: str
    """One sentence for the reference page."""

    find: Callable[["Subject", "Rule"], Iterator[Finding]]
    advice: str
    """What to do, for the reference page."""

    example: str
    """A text that has the finding."""

    def at(self, message: str, range_: Range, *, fixes: Iterable[Fix] = (), related: Iterable[Related] = ()) -> Finding:
        """Return a finding of this rule."""
        return Finding(
            code=self.code,
            severity=self.severity,
            message=message,
            range=range_,
            fixes=list(fixes),
            related=list(related),
        )


_rules: dict[str, Rule] = {}


def rule(
    code: str, severity: Severity, family: str, summary: str, *, advice: str, example: str
) -> Callable[[Callable[[Subject, Rule], Iterator[Finding]]], Callable[[Subject, Rule], Iterator[Finding]]]:
    """Register the decorated function under a code.

    Raises:
        ValueError: The code is taken, or the family is unknown.
    """
    if code in _rules or family not in FAMILIES:
        raise ValueError(f"{code} of family {family} cannot be registered")

    def register(
        find: Callable[[Subject, Rule], Iterator[Finding]],
    ) -> Callable[[Subject, Rule], Iterator[Finding]]:
        _rules[code] = Rule(code, family, severity, summary, find, advice, example)
        return find

    return register


def rules() -> tuple[Rule, ...]:
    """Return all rules in the order of their codes. The package of this module imports every family."""
    return tuple(_rules[code] for code in sorted(_rules))


def replace(title: str, range_: Range, text: str) -> Fix:
    """Return a fix that replaces one range."""
    return Fix(title=title, edits=[TextEdit(range=range_, newText=text)])
