import assert from "node:assert/strict";

import * as vscode from "vscode";

import { eventually, show } from "./workspace";

/** The base model, which can be asked before anything was trained. */
function base(): Promise<vscode.LanguageModelChat> {
  return eventually(async () => (await vscode.lm.selectChatModels({ vendor: "peft-workbench" }))[0]);
}

const FOUR = "One, two, three, four,";

const ask = (text: string) => [vscode.LanguageModelChatMessage.User(text)];

describe("the language-model provider", () => {
  before(() => show("good.peft.yaml"));

  it("offers what can be served on this machine, with its true context", async () => {
    const model = await base();
    assert.match(model.id, /SmolLM2-135M-Instruct/);
    assert.equal(model.vendor, "peft-workbench");
    assert.ok(model.maxInputTokens > 1000 && model.maxInputTokens < 8192);
  });

  it("estimates tokens while the model is not in memory, and loads nothing for it", async () => {
    assert.equal(await (await base()).countTokens(FOUR), 6);
  });

  it("streams an answer in pieces", async () => {
    const options = { modelOptions: { max_tokens: 12 } };
    const response = await (await base()).sendRequest(ask("Name three colours."), options);
    const pieces: string[] = [];
    for await (const piece of response.text) pieces.push(piece);
    assert.ok(pieces.length > 1, "the answer came in one piece");
    assert.notEqual(pieces.join("").trim(), "");
  });

  it("counts tokens with the model's own tokenizer once it is in memory", async () => {
    const model = await base();
    // Each word and each comma; the estimate is 6.
    await eventually(async () => (await model.countTokens(FOUR)) === 8 || undefined);
    // The turn's own marks are counted with it.
    assert.equal(await model.countTokens(vscode.LanguageModelChatMessage.User(FOUR)), 13);
  });

  it("stops when it is told to", async () => {
    const cancel = new vscode.CancellationTokenSource();
    const response = await (await base()).sendRequest(ask("Count to a thousand."), {}, cancel.token);
    const begin = Date.now();
    try {
      for await (const _ of response.text) cancel.cancel();
    } catch (error) {
      assert.ok(error instanceof vscode.CancellationError || /cancel/i.test(String(error)), String(error));
    }
    // A thousand tokens would take a minute.
    assert.ok(Date.now() - begin < 30_000);
  });
});
