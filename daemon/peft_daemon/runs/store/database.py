"""The file of the index: the run directories are the truth."""

from peft_daemon.runs.store.schema import MIGRATIONS
from peft_engine.databases import Index

STORE = Index("store.db", MIGRATIONS)
