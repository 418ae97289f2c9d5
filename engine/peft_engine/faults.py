"""What is wrong with a value that a person wrote, in words for people."""

from pydantic_core import ErrorDetails


def fault_words(fault: ErrorDetails) -> str:
    """Return a clause that says what pydantic found at a place."""
    match fault["type"]:
        case "extra_forbidden":
            return "there is no such key"
        case "missing":
            return "it is missing"
    message = fault["msg"]
    return message[:1].lower() + message[1:]
