"""Giving up work that takes long, between two of its pieces."""


class Cancelled(Exception):
    """The caller no longer wants the result; nothing is left of the work."""
