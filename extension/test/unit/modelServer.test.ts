/** What is asked of the model server itself, over real HTTP, in the shapes that it answers in. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { canInfill, firstLines, infill } from "../../src/chat/infill";
import { countedTurns, countTokens, estimateTokens } from "../../src/chat/tokens";

const CARD = { id: "org/coder", object: "model", base: "org/coder", capabilities: ["infill"], context_length: 8192 };
const GAP = { model: "org/coder", prefix: "def f(", suffix: "):\n    pass\n", maxTokens: 48 };

let server: Server;
let answer: (request: IncomingMessage, body: string, response: ServerResponse) => void;
const seen: { path: string; authorization: string | undefined; body: string }[] = [];
const endpoint = () => ({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, token: "s3cret" });
const never = new AbortController().signal;

function reply(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
}

beforeEach(async () => {
  seen.length = 0;
  server = createServer((request, response) => {
    let body = "";
    request.on("data", (part: Buffer) => (body += part.toString()));
    request.on("end", () => {
      seen.push({ path: request.url ?? "", authorization: request.headers.authorization, body });
      answer(request, body, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterEach(
  () =>
    new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    }),
);

describe("filling a gap", () => {
  it("sends what is before and after it, with the token, and takes the text", async () => {
    const choice = { index: 0, text: "x, y", logprobs: null, finish_reason: "stop" };
    answer = (_, __, response) => reply(response, 200, { object: "text_completion", choices: [choice] });
    expect(await infill(endpoint(), GAP, never)).toBe("x, y");
    expect(seen[0]).toMatchObject({ path: "/v1/completions", authorization: "Bearer s3cret" });
    expect(JSON.parse(seen[0]?.body ?? "")).toEqual({
      model: "org/coder",
      prompt: "def f(",
      suffix: "):\n    pass\n",
      max_tokens: 48,
      temperature: 0,
    });
  });

  it("is possible for a model that says so", async () => {
    answer = (_, __, response) => reply(response, 200, CARD);
    expect(await canInfill(endpoint(), "org/coder", never)).toBe(true);
    expect(seen[0]?.path).toBe("/v1/models/org/coder");
    answer = (_, __, response) => reply(response, 200, { ...CARD, capabilities: ["chat"] });
    expect(await canInfill(endpoint(), "org/coder", never)).toBe(false);
  });

  it("fails in the server's own words", async () => {
    const report = { code: "not-supported", message: "It cannot fill in the middle.", remedy: "Choose another." };
    answer = (_, __, response) => reply(response, 400, { error: { message: "…", report } });
    await expect(infill(endpoint(), GAP, never)).rejects.toMatchObject(report);
    answer = (_, __, response) => reply(response, 401, { error: { message: "The token is wrong." } });
    await expect(infill(endpoint(), GAP, never)).rejects.toThrow("The token is wrong.");
  });

  it("hangs up when a key is pressed, which ends the computation", async () => {
    let hungUp: Promise<void> | undefined;
    const abort = new AbortController();
    answer = (request) => {
      hungUp = new Promise((resolve) => request.socket.once("close", resolve));
      abort.abort();
    };
    await expect(infill(endpoint(), GAP, abort.signal)).rejects.toThrow();
    await hungUp;
  });
});

describe("the first lines of an answer", () => {
  it("are as many as are wanted, with nothing blank behind", () => {
    expect(firstLines("a\nb\n\nc", 3)).toBe("a\nb");
    expect(firstLines("  \n ", 2)).toBe("");
  });
});

describe("counting tokens", () => {
  const turns = countedTurns([
    { role: "user", content: "Hi." },
    { role: "assistant", content: "", tool_calls: [{ id: "1", name: "look", arguments: "{}" }] },
  ]);

  it("asks the model's own tokenizer, and adds what a template puts around each turn", async () => {
    answer = (_, __, response) =>
      reply(response, 200, { count: 7, max_model_len: 8192, tokens: [1, 2, 3, 4, 5, 6, 7] });
    expect(await countTokens(endpoint(), "org/coder", { text: "some text", turns: 0 }, never)).toBe(7);
    expect(seen[0]?.path).toBe("/tokenize");
    expect(JSON.parse(seen[0]?.body ?? "")).toEqual({ model: "org/coder", prompt: "some text" });
    expect(await countTokens(endpoint(), "org/coder", turns, never)).toBe(17);
    expect(JSON.parse(seen[1]?.body ?? "")).toEqual({ model: "org/coder", prompt: "Hi.\n\nlook\n{}" });
  });

  it("is an estimate where no model is in memory", () => {
    expect(estimateTokens({ text: "x".repeat(400), turns: 0 })).toBe(100);
    expect(estimateTokens(turns)).toBe(13);
  });
});
