"""`peftw chat`: talk to a base or to what you made of it."""

import re
import secrets
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from peft_daemon.cli.conversation import Asked, Conversation, ask, compare
from peft_daemon.cli.output import USAGE, finish, print_json
from peft_daemon.serving.client import find_chat_model, list_chat_models
from peft_schemas.chat import ChatMessage, ChatModel
from peft_schemas.errors import WorkbenchError

_CHOSEN = set("@+")
"""What stands in an id that says more of its adapters than which run made it."""

_FIRST_NAME = re.compile("[@+]")


def command(
    model: Annotated[
        str | None,
        typer.Option(
            help="A model id or a run id, with @SCALE behind it or not.",
            show_default="the newest completed run, else a base",
        ),
    ] = None,
    prompt: Annotated[str | None, typer.Option(help="Ask this and exit; - reads it from stdin.")] = None,
    with_base: Annotated[bool, typer.Option("--compare", help="Ask the adapter and its base alike.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one line of JSON; needs --prompt.")] = False,
    system: Annotated[str | None, typer.Option(help="Instructions that stand before the conversation.")] = None,
    max_tokens: Annotated[int, typer.Option(min=1, help="The longest answer.")] = 512,
    temperature: Annotated[float, typer.Option(min=0, max=2, help="0 for the most likely answer.")] = 0.0,
    seed: Annotated[int | None, typer.Option(min=0, help="Makes answers at a higher temperature repeatable.")] = None,
    python: Annotated[
        str, typer.Option(help="The interpreter that serves.", envvar="PEFTW_PYTHON", show_default=False)
    ] = sys.executable,
) -> None:
    """Chat with an adapter or a base; starts the inference process when none runs."""
    if prompt == "-" or (prompt is None and not sys.stdin.isatty()):
        prompt = sys.stdin.read()
    if prompt is None and json:
        typer.echo("--json needs --prompt.", err=True)
        finish(USAGE)
    chosen = choose(list_chat_models(), model)
    asked = Asked(
        models=(_base_of(chosen), chosen.id) if with_base else (chosen.id,),
        max_tokens=max_tokens,
        temperature=temperature,
        # One seed for both sides of a comparison.
        seed=secrets.randbits(31) if seed is None else seed,
        python=python,
    )
    if prompt is None:
        Conversation(asked, system).run()
        return
    messages = [ChatMessage(role="system", content=system)] if system else []
    messages.append(ChatMessage(role="user", content=prompt))
    if with_base:
        comparison = compare(asked, [messages, messages], silent=json)
        if json:
            print_json(comparison)
    else:
        answer = ask(asked, messages, silent=json)
        if json:
            print_json(answer)


def choose(models: list[ChatModel], wanted: str | None) -> ChatModel:
    """Return the model that the user means.

    Args:
        models: What can be served, bases first, then adapters, newest first.
        wanted: A model id or a run id; None for the newest adapter, else the first base.

    Raises:
        WorkbenchError: There is none, or what an id asks of its adapters makes no sense (`model-missing`).
    """
    adapters = [model for model in models if model.run_id is not None]
    if wanted is None and models:
        return (adapters or models)[0]
    for model in models:
        if wanted in (model.id, model.run_id):
            return model
    if wanted is not None and not _CHOSEN.isdisjoint(wanted):
        named = [model for model in adapters if model.run_id == _FIRST_NAME.split(wanted, maxsplit=1)[0]]
        return find_chat_model(f"{named[0].base}:{wanted}" if named else wanted)
    names = ", ".join(model.id for model in models)
    if wanted is not None and Path(wanted).expanduser().exists():
        raise WorkbenchError(
            "model-missing",
            f"{wanted} is not in the library.",
            f"Put it there first: peftw models add {shlex.quote(wanted)}",
        )
    raise WorkbenchError(
        "model-missing",
        "There is no model to chat with yet." if wanted is None else f"There is no model {wanted} here.",
        f"There are: {names}."
        if names
        else "Run a config first, or install the small model that `peftw doctor` names.",
    )


def _base_of(model: ChatModel) -> str:
    if model.run_id is None and not model.id.startswith(f"{model.base}:"):
        raise WorkbenchError(
            "no-artifact",
            f"{model.id} is a base, so there is nothing to compare it with.",
            "Run a config first, or choose an adapter with --model.",
        )
    return model.base
