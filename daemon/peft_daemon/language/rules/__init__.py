"""The rules, one module a family. Importing this package registers them all."""

from peft_daemon.language.rules import syntax

FAMILY_MODULES = (syntax,)
"""The modules whose import fills the registry."""
