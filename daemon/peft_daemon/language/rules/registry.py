"""The registry of rules: every code with its family, severity and meaning, and the pure function that finds it.

A rule takes a `Subject` and yields findings. It does no I/O, changes nothing and raises nothing; a rule that lacks the
knowledge to judge stays silent. To add a rule, write the function in the module of its family and decorate it.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal

from peft_daemon.language.context import NOTHING_KNOWN, CheckContext
from peft_daemon.language.rules.subject import Setting, Subject
from peft_schemas.findings import Finding, Fix, Range, Related, Severity, TextEdit

FAMILIES = {
    "syntax": "The text is not YAML, or not YAML that a config can be.",
    "schema": "A key or value is not in the config language.",
    "scalars": "Another program would read the value as something else.",
    "method": "The method does not fit its own settings or those of the base.",
    "precision": "Quantization, number types and attention do not fit each other.",
    "schedule": "Steps, epochs, evaluations, checkpoints or the hours of the run do not fit each other.",
    "data": "The training data is not what the config says.",
    "model": "The base model is not what the config says.",
    "hardware": "The machine cannot do what the config asks for.",
    "security": "The config trusts what should not be trusted blindly.",
    "cost": "The run would cost time or memory for nothing.",
    "tracker": "What the run measures would not reach its tracker.",
    "support": "The language has it, and this version of PEFT Workbench cannot do it yet.",
}
"""The families in their order, each with what its findings have in common."""

Judged = Literal["document", "part", "problems", "keys"]
"""What a rule is given, and when: a whole document with its effective values; each part of it (a top-level entry, or
one entry of a long list) on its own; a document of which something could not be read; one with keys that are unknown,
absent, repeated or misshapen. A rule about single values judges parts, so that an edit costs one part."""


@dataclass(frozen=True)
class Rule:
    """One kind of finding."""

    code: str
    family: str
    severity: Severity
    summary: str
    """One sentence for the reference page."""

    find: Callable[["Subject", "Rule"], Iterator[Finding]]
    why: str
    """What goes wrong otherwise, for the reference page."""

    advice: str
    """What to do, for the reference page."""

    example: str
    """A text that has the finding."""

    known: CheckContext
    """What must be known of the world for the example to have the finding."""

    source: str
    """Where the rule comes from: documentation, a paper, an issue. Empty where it is our own language's."""

    judges: Judged
    """What `find` is given."""

    def about(
        self,
        subject: Subject,
        message: str,
        *settings: Setting,
        fixes: Iterable[Fix] = (),
        severity: Severity | None = None,
        at_key: bool = False,
    ) -> Finding:
        """Return a finding about effective values, at the first of them that is written.

        With `at_key` it stands at that value's key: the finding is that the key is there, whatever it holds.
        """
        range_, related = subject.place(settings, at_key=at_key)
        return self.at(message, range_, fixes=fixes, related=related, severity=severity)

    def at(
        self,
        message: str,
        range_: Range,
        *,
        fixes: Iterable[Fix] = (),
        related: Iterable[Related] = (),
        severity: Severity | None = None,
    ) -> Finding:
        """Return a finding of this rule; its severity is the rule's own unless the case is graver or milder."""
        return Finding(
            code=self.code,
            severity=severity or self.severity,
            message=message,
            range=range_,
            fixes=list(fixes),
            related=list(related),
        )


_rules: dict[str, Rule] = {}


def rule(
    code: str,
    severity: Severity,
    family: str,
    summary: str,
    *,
    why: str,
    advice: str,
    example: str,
    known: CheckContext = NOTHING_KNOWN,
    source: str = "",
    judges: Judged = "document",
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
        _rules[code] = Rule(code, family, severity, summary, find, why, advice, example, known, source, judges)
        return find

    return register


def rules() -> tuple[Rule, ...]:
    """Return all rules in the order of their codes. The package of this module imports every family."""
    return tuple(_rules[code] for code in sorted(_rules))


@cache
def rules_of(judges: Judged) -> tuple[Rule, ...]:
    """Return the rules that are given one kind of thing."""
    return tuple(rule for rule in rules() if rule.judges == judges)


def replace(title: str, range_: Range, text: str) -> Fix:
    """Return a fix that replaces one range."""
    return Fix(title=title, edits=[TextEdit(range=range_, newText=text)])
