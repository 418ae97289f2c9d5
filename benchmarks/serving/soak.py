"""Hours of careless clients: `soak.py --minutes N`. Fails if the inference process keeps anything of them.

Clients ask under random adapters with random lengths; some read all of their answer, some cancel in the middle, some
hang up without reading, some ask for embeddings. At the end nothing is open, and memory, open files and threads are
what they were after the warm-up.
"""

import argparse
import asyncio
import os
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import httpx
import openai
import psutil

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.serving.servers import Server, ours  # noqa: E402

from tests.integration.serving.homes import BASE, complete_run  # noqa: E402

CLIENTS = 8
WARM_SECONDS = 30.0
SAMPLE_SECONDS = 60.0
"""Between two lines on what the process holds, from which a slow leak can be told from unevenness."""

GROWTH = {"memory": 64 * 2**20, "kept prompts": sys.maxsize, "threads": min(32, (os.cpu_count() or 1) + 4)}
"""What may come after the warm-up: bytes that the allocator keeps, prompts up to the limit that holds for them, and the
rest of asyncio's pool for looking at files, which is filled as it is needed and no further."""


async def client(server: Server, until: float, seed: int, done: Counter[str]) -> None:
    """Behave carelessly until the time is over."""
    chance = random.Random(seed)
    async with openai.AsyncOpenAI(base_url=server.url, api_key=server.token, timeout=300, max_retries=0) as api:
        while time.monotonic() < until:
            deed = chance.choice(["read", "read", "cancel", "hang up", "embed"])
            try:
                await _do(api, server, deed, chance)
                done[deed] += 1
            except openai.RateLimitError:
                done["told to wait"] += 1
                await asyncio.sleep(0.5)


async def _do(api: openai.AsyncOpenAI, server: Server, deed: str, chance: random.Random) -> None:
    model = chance.choice(server.models)
    text = "Tell me of the sea. " * chance.randrange(1, 40) + str(chance.randrange(5))
    if deed == "embed":
        await api.embeddings.create(model=model, input=[text])
        return
    stream = await api.completions.create(
        model=model, prompt=text, max_tokens=chance.randrange(1, 40), temperature=0.8, seed=1, stream=True
    )
    if deed == "read":
        async for _ in stream:
            pass
    elif deed == "cancel":
        async for _ in stream:
            if chance.random() < 0.3:
                break
    await stream.close()


async def _busy(server: Server) -> bool:
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {server.token}"}) as api:
        found = (await api.get(server.url.removesuffix("/v1") + "/health", timeout=60)).json()
        return bool(found.get("active") or found.get("waiting"))


async def _settle(server: Server) -> None:
    """Wait until the process has noticed that all clients are gone, and the one that asks it for that is."""
    process = psutil.Process(server.pid)
    for _ in range(240):
        if not await _busy(server):
            await asyncio.sleep(0.5)
            if all(connection.status == psutil.CONN_LISTEN for connection in process.net_connections()):
                return
        await asyncio.sleep(0.5)
    raise SystemExit("FAILED: requests are open although every client is gone")


def _holds(server: Server) -> dict[str, int]:
    process = psutil.Process(server.pid)
    held = {
        "memory": process.memory_info().rss,
        "open files": process.num_fds(),
        "threads": process.num_threads(),
        "children": len(process.children(recursive=True)),
    }
    # Prompts that left their slot are kept up to a limit, which a soak reaches sooner or later.
    figures = httpx.get(
        server.url.removesuffix("/v1") + "/metrics", headers={"Authorization": f"Bearer {server.token}"}, timeout=60
    )
    kept = sum(int(value) for value in re.findall(r"(?m)^peftw_kept_prompts_bytes\{.*\} (\d+)$", figures.text))
    return held | {"memory": held["memory"] - kept, "kept prompts": kept}


async def _sample(server: Server) -> None:
    """Print what the process holds, for ever."""
    start = time.monotonic()
    while True:
        held = ", ".join(f"{what} {value:,}" for what, value in _holds(server).items())
        print(f"{(time.monotonic() - start) / 60:5.1f} min: {held}", flush=True)
        await asyncio.sleep(SAMPLE_SECONDS)


async def soak(server: Server, seconds: float) -> None:
    """Let clients loose and compare what the process holds before and after."""
    done: Counter[str] = Counter()

    async def let_loose(span: float, seed: int) -> dict[str, int]:
        until = time.monotonic() + span
        await asyncio.gather(*(client(server, until, seed + number, done) for number in range(CLIENTS)))
        await _settle(server)
        return _holds(server)

    sampling = asyncio.create_task(_sample(server))
    before = await let_loose(WARM_SECONDS, 0)
    after = await let_loose(seconds, 1000)
    sampling.cancel()
    print(dict(done))
    failed = []
    for what, value in after.items():
        allowed = before[what] + GROWTH.get(what, 0)
        print(f"  {what:12}{before[what]:14,} then {value:14,}{'' if value <= allowed else '  GREW'}")
        failed += [what] if value > allowed else []
    if failed:
        raise SystemExit(f"FAILED: {', '.join(failed)} grew")


def main(arguments: Sequence[str] | None = None) -> None:
    """Soak."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        os.environ["PEFTW_HOME"] = str(home)
        models = [BASE, *(complete_run(f"adapter{seed}", seed=seed) for seed in range(1, 5))]
        with ours(home, models, threads=1) as server:
            asyncio.run(soak(server, chosen.minutes * 60))


if __name__ == "__main__":
    main()
