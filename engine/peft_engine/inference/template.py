"""The child process that renders chat templates, which `template_process` watches: a template may never end.

`python -m peft_engine.inference.template` reads one JSON request a line and answers each by one line.
"""

import json
import sys
from dataclasses import asdict

from peft_engine.chat_template import MAX_CHARACTERS, TemplateRefused, TemplateRequest, render

__all__ = ["MAX_CHARACTERS", "TemplateRefused", "TemplateRequest", "render", "to_line"]

_MAX_MEMORY = 2**30
"""Bytes of address space that the child may use."""


def _serve() -> None:
    _limit_memory()
    for line in sys.stdin:
        try:
            answer = {"text": render(TemplateRequest(**json.loads(line)))}
        except TemplateRefused as refused:
            answer = {"refused": str(refused)[:500]}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def to_line(request: TemplateRequest) -> bytes:
    """Return a request as the child reads it."""
    return json.dumps(asdict(request)).encode() + b"\n"


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (_MAX_MEMORY, _MAX_MEMORY))


if __name__ == "__main__":
    _serve()
