"""The rules, one module a family or a part of one. Importing this package registers them all."""

from peft_daemon.language.rules import data, keys, model, schema_values, support, syntax

__all__ = ["data", "keys", "model", "schema_values", "support", "syntax"]
