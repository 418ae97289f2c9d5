"""Programs that speak OpenAI's API, as they are published, with the real server and the real model."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.clients.install import folder
from tests.integration.serving.homes import BASE, Served

CLIENTS = folder()
pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(not CLIENTS.exists(), reason="the clients are not installed: `make clients` does it"),
]

LITELLM = """
import json, sys, litellm
asked = json.load(sys.stdin)
where = {"api_base": asked["url"], "api_key": asked["token"], "model": "openai/" + asked["model"]}
messages = [{"role": "user", "content": "What is the capital of France?"}]
whole = litellm.completion(messages=messages, temperature=0, max_tokens=8, **where)
stream = litellm.completion(
    messages=messages, temperature=0, max_tokens=8, stream=True, stream_options={"include_usage": True}, **where
)
streamed = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
try:
    litellm.completion(messages=messages, **{**where, "model": "openai/nobody/nothing"})
except litellm.NotFoundError:
    missing = "not found"
vector = litellm.embedding(input=["one", "two"], **where)
print(json.dumps([whole.choices[0].message.content, streamed, missing, len(vector.data)]))
"""

NODE = """
import OpenAI, { NotFoundError } from "openai";
const asked = JSON.parse(await new Response(process.stdin).text());
const client = new OpenAI({ baseURL: asked.url, apiKey: asked.token, maxRetries: 0 });
const question = { model: asked.model, temperature: 0, max_tokens: 8 };
const messages = [{ role: "user", content: "What is the capital of France?" }];
const whole = await client.chat.completions.create({ ...question, messages });
let streamed = "";
for await (const chunk of await client.chat.completions.create({ ...question, messages, stream: true })) {
  streamed += chunk.choices[0]?.delta.content ?? "";
}
let responded = "";
const input = messages[0].content;
const stream = client.responses.stream({ model: asked.model, temperature: 0, max_output_tokens: 8, input });
for await (const event of stream) if (event.type === "response.output_text.delta") responded += event.delta;
const missing = await client.models.retrieve("nobody/nothing").catch((error) => error instanceof NotFoundError);
const model = (await client.models.retrieve(asked.model)).id;
const vectors = (await client.embeddings.create({ model: asked.model, input: ["one", "two"] })).data;
const points = vectors.map((one) => one.embedding.length);
console.log(JSON.stringify([whole.choices[0].message.content, streamed, responded, missing, model, points]));
"""


def run(command: list[str | Path], served: Served, *, cwd: Path) -> list[object]:
    asked = {"url": served.record.url, "token": served.record.token, "model": BASE}
    done = subprocess.run(
        command, input=json.dumps(asked), capture_output=True, text=True, timeout=500, cwd=cwd, env=quiet(), check=False
    )
    assert done.returncode == 0, done.stderr
    result: list[object] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def quiet() -> dict[str, str]:
    """Return an environment in which no client asks the internet for prices or news."""
    return {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "DO_NOT_TRACK": "1", "NO_PROXY": "127.0.0.1"}


def test_J16_litellm_asks_streams_embeds_and_knows_what_is_missing(served: Served, tmp_path: Path) -> None:
    whole, streamed, missing, embedded = run([CLIENTS / "litellm/bin/python", "-c", LITELLM], served, cwd=tmp_path)

    assert whole == streamed == served.say(BASE, "What is the capital of France?", max_tokens=8)
    assert (missing, embedded) == ("not found", 2)


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node here")
def test_J16_openais_library_for_node_asks_streams_responds_and_embeds(served: Served) -> None:
    command: list[str | Path] = ["node", "--input-type=module", "-e", NODE]
    whole, streamed, responded, missing, model, points = run(command, served, cwd=CLIENTS)

    assert whole == streamed == responded == served.say(BASE, "What is the capital of France?", max_tokens=8)
    assert missing is True
    assert model == BASE
    assert points == [576, 576]


def test_J16_llm_asks_by_the_settings_that_the_docs_name(served: Served, tmp_path: Path) -> None:
    (tmp_path / "extra-openai-models.yaml").write_text(
        f"- model_id: mine\n  model_name: {BASE}\n  api_base: {served.record.url}\n  api_key_name: peftw\n"
    )
    (tmp_path / "keys.json").write_text(json.dumps({"peftw": served.record.token}))
    question = "What is the capital of France?"
    command = [
        CLIENTS / "llm/bin/python",
        "-m",
        "llm",
        "-m",
        "mine",
        "-o",
        "temperature",
        "0",
        "-o",
        "max_tokens",
        "8",
        question,
    ]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=500,
        stdin=subprocess.DEVNULL,
        env={**quiet(), "LLM_USER_PATH": str(tmp_path)},
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == served.say(BASE, question, max_tokens=8).strip()
