import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";

import * as vscode from "vscode";

import { type Command, COMMANDS } from "../../src/restricted";
import { eventually, show } from "./workspace";

type Ask = (...words: unknown[]) => Promise<undefined>;

/** What would wait for a person, who gives everything up here. */
const ASKING = [
  ...["showQuickPick", "showInputBox", "showOpenDialog", "showSaveDialog"],
  ...["showInformationMessage", "showWarningMessage", "showErrorMessage"],
] as const;

/** It installs packages. What it makes is the extension's own, whatever the workspace says. */
const LONG: readonly Command[] = ["peft.setUpEnvironment"];

const said: unknown[][] = [];

function giveUpEverything(): void {
  const window = vscode.window as unknown as Record<string, Ask>;
  for (const name of ASKING) {
    window[name] = (...words) => {
      said.push(words);
      return Promise.resolve(undefined);
    };
  }
}

/** The programs that train, answer or convert, of those that this editor has started. One that looks only reads. */
function atWork(): string[] {
  const marker = `WORKBENCH_TEST_SERVER=${process.env.WORKBENCH_TEST_SERVER}`;
  return readdirSync("/proc")
    .filter((pid) => /^\d+$/.test(pid))
    .flatMap((pid) => {
      try {
        const isOurs = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").includes(marker);
        const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
        return isOurs && /peft_engine\.(?!look )/.test(command) ? [command] : [];
      } catch {
        return []; // it has ended
      }
    });
}

describe("a workspace that is not trusted", () => {
  before(async () => {
    assert.equal(vscode.workspace.isTrusted, false);
    assert.ok(process.env.WORKBENCH_TEST_SERVER);
    giveUpEverything();
    const document = await show("faulty.peft.yaml");
    await eventually(() => vscode.languages.getDiagnostics(document.uri).length > 0 || undefined);
  });

  beforeEach(async () => {
    await show("good.peft.yaml");
    said.splice(0);
  });
  afterEach(() => assert.deepEqual(atWork(), []));

  const decided = Object.entries(COMMANDS) as [Command, (typeof COMMANDS)[Command]][];
  for (const [command, off] of decided.filter(([, decision]) => decision !== "works")) {
    it(`refuses ${command}, and says what to do`, async () => {
      await vscode.commands.executeCommand(command);
      const why = `${off} are off in Restricted Mode, because they execute what this workspace says.`;
      assert.deepEqual(said, [[`${why} Trust this workspace to use them.`, "Manage Workspace Trust"]]);
    });
  }

  for (const [command] of decided.filter(([name, decision]) => decision === "works" && !LONG.includes(name))) {
    it(`lets ${command} do its work, and runs nothing for it`, async () => {
      await vscode.commands.executeCommand(command);
      assert.ok(!said.flat().some((word) => String(word).includes("Restricted Mode")), JSON.stringify(said));
    });
  }

  it("offers no model to other extensions", async () => {
    assert.deepEqual(await vscode.lm.selectChatModels({ vendor: "peft-workbench" }), []);
  });
});
