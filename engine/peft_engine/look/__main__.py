"""The process that looks: reads one JSON question a line, answers each by one line, and leaves when it is not needed.

It ends when its input does, which is when its parent ends, and after a while without a question.
"""

import os
import select
import sys

from pydantic import TypeAdapter

from peft_engine.look.answers import answer
from peft_engine.look.questions import Answer, Question

_IDLE = 5.0
"""Seconds. Then it gives its memory back; the next question starts another."""

_MAX_MEMORY = 8 * 2**30
"""Bytes of address space. What needs more is not known, and the machine goes on."""


def main() -> None:
    """Answer until nobody asks."""
    _limit_memory()
    question_type: TypeAdapter[Question] = TypeAdapter(Question)
    answer_type = TypeAdapter(Answer)
    while select.select([sys.stdin.buffer], [], [], _IDLE)[0]:
        line = sys.stdin.buffer.readline()
        if not line:
            return
        sys.stdout.buffer.write(answer_type.dump_json(answer(question_type.validate_json(line))) + b"\n")
        sys.stdout.buffer.flush()


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (_MAX_MEMORY, _MAX_MEMORY))


if __name__ == "__main__":
    main()
    # Every answer is out and nothing is open. To take the interpreter down would cost an eighth of all that this did,
    # while somebody is typing.
    os._exit(0)
