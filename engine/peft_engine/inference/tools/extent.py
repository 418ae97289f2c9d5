"""Where a JSON value ends in a text that is still growing."""


class JsonExtent:
    """Follows brackets and strings, and nothing else: whether the value is JSON is for a parser to say."""

    def __init__(self, *, depth: int = 0) -> None:
        """Begin before the bracket that opens the value, or inside of `depth` brackets."""
        self._depth = depth
        self._in_string = False
        self._escaped = False

    def feed(self, text: str, start: int = 0) -> int | None:
        """Take in the text from `start` on; return the position behind the value, None while it goes on."""
        for position in range(start, len(text)):
            letter = text[position]
            if self._escaped:
                self._escaped = False
            elif self._in_string:
                self._in_string = letter != '"'
                self._escaped = letter == "\\"
            elif letter == '"':
                self._in_string = True
            elif letter in "{[":
                self._depth += 1
            elif letter in "}]":
                self._depth -= 1
                if self._depth <= 0:
                    return position + 1
        return None
