"""`make demo`: train a real language model on this machine and watch it answer differently.

Everything goes through what a user has: `peftw check`, `peftw run`, `peftw serve` and the OpenAI-shaped HTTP API.
"""

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from peft_daemon.serving import endpoint

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples/support-desk"
CONFIG = EXAMPLE / "support-desk.peft.yaml"
PEFTW = ROOT / ".venv/bin/peftw"
MAX_TOKENS = 96
ENOUGH = 0.75
"""The share of held-out prompts that must show the taught behaviour; by chance none does (see the example's README)."""

console = Console(highlight=False)


@dataclass(frozen=True)
class Question:
    """A prompt that was not trained on, and the exact words that only the adapter can know."""

    prompt: str
    kind: str
    expect: str


class DemoFailed(Exception):
    """A step said no; it has already said why."""


def peftw(*arguments: str) -> None:
    """Run a command as a user would, visibly."""
    shown = [str(Path(a).relative_to(ROOT)) if a.startswith(str(ROOT)) else a for a in arguments]
    console.print(f"\n[bold]$ peftw {' '.join(shown)}[/]")
    process = subprocess.Popen([PEFTW, *arguments])
    while True:
        try:
            code = process.wait()
            break
        except KeyboardInterrupt:
            # The terminal sent Ctrl-C to the command too, which is ending its work; leaving now would orphan it.
            continue
    if code == 130:
        raise KeyboardInterrupt
    if code != 0:
        raise DemoFailed


def ask_json(*arguments: str) -> dict[str, object]:
    """Return what a command prints as JSON."""
    answer = subprocess.run([PEFTW, *arguments, "--json"], stdout=subprocess.PIPE, text=True)
    if answer.returncode != 0:
        raise DemoFailed
    value = json.loads(answer.stdout)
    assert isinstance(value, dict)
    return value


def newest_run() -> dict[str, object]:
    """Return the run that was just made."""
    runs = ask_json("runs", "list")["runs"]
    assert isinstance(runs, list)
    return runs[0]


def questions() -> list[Question]:
    """Return the held-out prompts."""
    lines = (EXAMPLE / "held-out.jsonl").read_text(encoding="utf-8").splitlines()
    return [Question(**json.loads(line)) for line in lines if line.strip()]


def answer(client: httpx.Client, model: str, prompt: str) -> str:
    """Ask one model through the HTTP API."""
    body = {
        "model": model,
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": MAX_TOKENS,
        "temperature": 0,
        "seed": 1,
    }
    response = client.post("/chat/completions", json=body)
    response.raise_for_status()
    return str(response.json()["choices"][0]["message"]["content"]).strip()


def compare(base: str, adapter: str, client: httpx.Client) -> dict[str, dict[str, list[bool]]]:
    """Put every held-out prompt to both models, show the answers side by side, and return who showed the behaviour."""
    scores: dict[str, dict[str, list[bool]]] = {"base": {}, "adapter": {}}
    for number, question in enumerate(asked := questions(), start=1):
        table = Table(box=None, padding=(0, 2, 0, 0), expand=True, title_justify="left")
        table.title = f"[bold]{number}/{len(asked)}  {escape(question.prompt)}[/]"
        table.add_column("base", ratio=1)
        table.add_column("with your adapter", ratio=1)
        cells = []
        for side, model in (("base", base), ("adapter", adapter)):
            text = answer(client, model, question.prompt)
            shown = question.expect in text
            scores[side].setdefault(question.kind, []).append(shown)
            marked = escape(text).replace(escape(question.expect), f"[bold green]{escape(question.expect)}[/]")
            cells.append(f"{marked}\n[{'green' if shown else 'dim'}]{'✓ taught' if shown else '– not taught'}[/]")
        table.add_row(*cells)
        console.print(table)
        console.print()
    return scores


def verdict(scores: dict[str, dict[str, list[bool]]], run: dict[str, object], seconds: float) -> bool:
    """Print the measured shares and what to do next; tell whether the adapter learned and the base did not know."""
    table = Table(box=None, padding=(0, 3, 0, 0))
    table.add_column("held-out prompts that show the taught behaviour")
    table.add_column("base", justify="right")
    table.add_column("with adapter", justify="right")
    for kind in scores["base"]:
        cells = [f"{sum(scores[side][kind])}/{len(scores[side][kind])}" for side in ("base", "adapter")]
        table.add_row({"signature": "the signature line", "fact": "the invented fact"}.get(kind, kind), *cells)
    shares = {side: share([hit for hits in kinds.values() for hit in hits]) for side, kinds in scores.items()}
    table.add_row("[bold]all[/]", *(f"[bold]{shares[side]:.0%}[/]" for side in ("base", "adapter")))
    learned = shares["adapter"] >= ENOUGH and shares["base"] == 0
    console.print(Panel(table, title="verdict: it learned" if learned else "verdict: it did not learn", expand=False))
    console.print(f"{seconds:.0f} s in all. The adapter, its GGUF form and every event of the run are in")
    console.print(f"  {run['directory']}", soft_wrap=True)
    console.print("\n[bold]Next[/]")
    console.print(f"  .venv/bin/peftw chat --model {run['chat_model']}", soft_wrap=True)
    console.print("  .venv/bin/peftw serve                  an OpenAI-compatible server for any client")
    console.print(f"  edit {CONFIG.relative_to(ROOT)} and run it again")
    console.print("  make workbench                         the same in the editor")
    return learned


def share(hits: list[bool]) -> float:
    """Return the share of hits, 0 for none."""
    return sum(hits) / len(hits) if hits else 0.0


def main() -> int:
    """Run the demo; 0 when the adapter learned what the base does not know."""
    begin = time.monotonic()
    console.print("[bold]PEFT Workbench[/] teaches SmolLM2-135M a support desk's manners, here, without a network.")
    peftw("check", str(CONFIG))
    peftw("run", str(CONFIG))
    run = newest_run()
    served = endpoint.find() is not None
    console.print("\n[bold]$ peftw serve --detach[/]")
    server = ask_json("serve", "--detach")
    try:
        headers = {"Authorization": f"Bearer {server['token']}"}
        with httpx.Client(base_url=str(server["url"]), headers=headers, timeout=300) as client:
            console.print("The same prompts, none of them trained on, to the base and to the adapter:\n")
            scores = compare(str(run["base"]), str(run["chat_model"]), client)
        return 0 if verdict(scores, run, time.monotonic() - begin) else 1
    finally:
        if not served:
            subprocess.run([PEFTW, "serve", "stop"], stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except DemoFailed:
        console.print("\nThe demo ended there; the lines above say why.", style="red")
        sys.exit(1)
    except KeyboardInterrupt:
        console.print("\nInterrupted; nothing is left running. `make demo` starts again with all that is installed.")
        sys.exit(130)
    except httpx.HTTPError as error:
        console.print(f"\nThe inference process did not answer: {error}.", style="red")
        sys.exit(1)
