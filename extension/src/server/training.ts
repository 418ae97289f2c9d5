/** Asks, before the first run, whether the interpreter that trains can train, and offers to make it so. */
import * as vscode from "vscode";

import { Problem } from "../problem";
import { chooseInterpreter } from "./chooseInterpreter";
import { run } from "./processes";
import type { Server } from "./server";
import type { Setup } from "./setup";

const NEEDED = ["torch", "transformers", "peft", "accelerate", "safetensors"];
/** Finds the packages without importing them, which for torch alone takes seconds. */
const PROBE_SCRIPT = `
import importlib.util, json
print(json.dumps([name for name in ${JSON.stringify(NEEDED)} if importlib.util.find_spec(name) is None]))`;

const INSTALL = "Install";
const CHOOSE = "Choose Interpreter";

export class Training {
  /** Interpreters that were seen to have everything. */
  private readonly able = new Set<string>();

  constructor(
    private readonly setup: Setup,
    private readonly server: Server,
    private readonly cwd: string,
  ) {}

  /** Resolves with false when the user did not want what it takes. */
  async ensure(): Promise<boolean> {
    const { python, managed } = await this.setup.trainingInterpreter();
    if (this.able.has(python)) return true;
    const missing = await this.missing(python);
    if (missing.length === 0) {
      this.able.add(python);
      return true;
    }
    if (managed) return this.offerInstall(missing);
    return this.offerChoice(python, missing);
  }

  private async missing(python: string): Promise<string[]> {
    try {
      return JSON.parse(await run({ program: python, args: ["-c", PROBE_SCRIPT] }, { cwd: this.cwd })) as string[];
    } catch (error) {
      throw new Problem(`The interpreter ${python} does not start.`, "Choose another one in the setting peft.python.", {
        cause: error,
      });
    }
  }

  private async offerInstall(missing: string[]): Promise<boolean> {
    const chosen = await vscode.window.showInformationMessage(
      "Training needs more packages.",
      {
        modal: true,
        detail: `${list(missing)} are not in the extension's environment yet. Installing them takes up to several gigabytes of disk space.`,
      },
      INSTALL,
      CHOOSE,
    );
    if (chosen === CHOOSE) return this.choose();
    if (chosen !== INSTALL) return false;
    await this.setup.install(true);
    await this.server.restart();
    return true;
  }

  private async offerChoice(python: string, missing: string[]): Promise<boolean> {
    const chosen = await vscode.window.showWarningMessage(
      `The interpreter ${python} cannot train: ${list(missing)} are missing. Install peft-workbench[train,serve] in it, or choose another.`,
      CHOOSE,
    );
    return chosen === CHOOSE && this.choose();
  }

  private async choose(): Promise<boolean> {
    if (!(await chooseInterpreter("python", this.cwd))) return false;
    return this.ensure();
  }
}

function list(names: string[]): string {
  return new Intl.ListFormat("en").format(names);
}
