"""What a conversion says when there is none that is known to be right."""


class NotConvertible(ValueError):
    """The model or adapter has no such form that is known to be right; the message is a sentence that says why."""
