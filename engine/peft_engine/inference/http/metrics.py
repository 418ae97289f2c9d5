"""`/metrics`: what the process has done, in the text format of Prometheus."""

from collections.abc import Iterable, Mapping

from starlette.requests import Request
from starlette.responses import Response

from peft_engine.inference.http.asking import scheduler_of
from peft_engine.inference.metrics import Total
from peft_engine.inference.scheduler import Scheduler

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


async def show_metrics(request: Request) -> Response:
    """Answer with every figure."""
    return Response("".join(_families(scheduler_of(request))), media_type=MEDIA_TYPE)


def _families(scheduler: Scheduler) -> Iterable[str]:
    done = scheduler.metrics
    yield _by("requests_total", "counter", "Requests that ended, in whatever way.", "model", done.requests)
    yield _by("errors_total", "counter", "Requests that failed.", "code", done.errors)
    yield _one("cancelled_total", "counter", "Requests whose client went away.", done.cancelled)
    yield _one("prompt_tokens_total", "counter", "Tokens of prompts.", done.prompt_tokens)
    yield _one("cached_prompt_tokens_total", "counter", "Those that were computed already.", done.cached_tokens)
    yield _one("generated_tokens_total", "counter", "Tokens generated.", done.completion_tokens)
    yield _one("embedded_tokens_total", "counter", "Tokens of texts that were embedded.", done.embedded_tokens)
    yield _summary("queue_seconds", "From arrival to the start of the computation.", done.queued)
    yield _summary("first_token_seconds", "From arrival to the first token.", done.first_token)
    yield _summary("generation_seconds", "From the first token to the last.", done.generation)
    yield _summary("load_seconds", "Bases brought into memory.", done.loads)
    yield _one("unloads_total", "counter", "Bases whose memory was freed.", done.unloads)
    yield _one("switches_total", "counter", "Times that another model became the default.", done.switches)
    yield _one("requests_active", "gauge", "Requests being computed.", scheduler.active)
    yield _one("requests_waiting", "gauge", "Requests in the queue.", scheduler.waiting)
    memory = {resident.base: resident.memory_bytes for resident in scheduler.residents()}
    yield _by("model_memory_bytes", "gauge", "What each base in memory takes.", "base", memory)
    about = "What of that earlier prompts take, which only save time."
    yield _by("kept_prompts_bytes", "gauge", about, "base", scheduler.kept_bytes)
    yield _one("memory_limit_bytes", "gauge", "What all bases may take together.", scheduler.memory_limit)


def _one(name: str, kind: str, about: str, value: float) -> str:
    return f"{_head(name, kind, about)}peftw_{name} {value}\n"


def _by(name: str, kind: str, about: str, label: str, values: Mapping[str, float]) -> str:
    # A copy, since the computing thread may add a key meanwhile.
    lines = (f'peftw_{name}{{{label}="{key.translate(_ESCAPES)}"}} {value}\n' for key, value in dict(values).items())
    return _head(name, kind, about) + "".join(lines)


def _summary(name: str, about: str, total: Total) -> str:
    return f"{_head(name, 'summary', about)}peftw_{name}_count {total.count}\npeftw_{name}_sum {total.sum}\n"


def _head(name: str, kind: str, about: str) -> str:
    return f"# HELP peftw_{name} {about}\n# TYPE peftw_{name} {kind}\n"
