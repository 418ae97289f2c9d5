/** Makes and repairs the extension's environment in front of the user: progress, cancel, and a way on when it fails. */
import path from "node:path";

import * as vscode from "vscode";

import { Problem } from "../problem";
import type { ConnectionOptions } from "./connection";
import { ManagedEnvironments } from "./environment";
import { explainInstallFailure } from "./installer";
import { locateServer, requireInterpreter } from "./locator";
import { run, which } from "./processes";
import type { Launcher } from "./server";
import { readSettings } from "./settings";

export class Setup implements Launcher {
  private readonly storage: string;
  private readonly environments: ManagedEnvironments;

  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly log: vscode.LogOutputChannel,
  ) {
    this.storage = context.globalStorageUri.fsPath;
    const payload = path.join(context.extensionPath, "dist", "server");
    this.environments = new ManagedEnvironments(path.join(this.storage, "environments"), payload, which, run);
  }

  async prepare(): Promise<ConnectionOptions> {
    const settings = readSettings();
    if (settings.python) await requireInterpreter("peft.python", settings.python);
    const located = await locateServer(settings.serverInterpreter, this.environments);
    await vscode.workspace.fs.createDirectory(this.context.globalStorageUri);
    return {
      python: located?.python ?? (await this.install(false)),
      cwd: this.storage,
      dataDir: settings.dataDir,
      trainingPython: settings.python,
      extensionVersion: (this.context.extension.packageJSON as { version: string }).version,
      log: this.log,
    };
  }

  async repair(python: string): Promise<boolean> {
    if (!this.environments.owns(python) || (await this.environments.isHealthy(python))) return false;
    this.log.warn("The extension's environment is damaged; making it anew.");
    await this.install(this.environments.isFull(python));
    return true;
  }

  /** The interpreter that trains and serves: the setting, or the server's own. */
  async trainingInterpreter(): Promise<{ python: string; managed: boolean }> {
    const { python } = readSettings();
    const chosen = python || (await this.prepare()).python;
    return { python: chosen, managed: this.environments.owns(chosen) };
  }

  /** @throws Problem when it failed, vscode.CancellationError when it was cancelled. */
  async install(withExtras: boolean): Promise<string> {
    return vscode.window.withProgress(
      {
        location: vscode.ProgressLocation.Notification,
        title: withExtras ? "PEFT: setting up training" : "PEFT: setting up",
        cancellable: true,
      },
      async (progress, token) => {
        const abort = new AbortController();
        token.onCancellationRequested(() => abort.abort());
        try {
          return await this.environments.install(withExtras, {
            signal: abort.signal,
            onStep: (title) => progress.report({ message: title }),
            onOutput: (text) => this.log.info(text.trimEnd()),
          });
        } catch (error) {
          if (abort.signal.aborted)
            throw new Problem("Setting up was cancelled.", "Run 'PEFT: Set Up Environment' to go on.");
          this.log.error(error instanceof Error ? error : String(error));
          throw explainInstallFailure(error);
        }
      },
    );
  }

  /** What `PEFT: Set Up Environment` does: makes the environment anew whatever its state. */
  async setUp(): Promise<void> {
    const current = await this.environments.find().catch(() => undefined);
    await this.install(current !== undefined && this.environments.isFull(current));
    await this.offerManagedEnvironment();
  }

  private async offerManagedEnvironment(): Promise<void> {
    const configuration = vscode.workspace.getConfiguration("peft");
    if (!readSettings().serverInterpreter) return;
    const use = "Use the New Environment";
    const chosen = await vscode.window.showWarningMessage(
      "The environment is ready, but the setting peft.server.interpreter names another interpreter.",
      use,
      "Keep the Setting",
    );
    if (chosen === use) await configuration.update("server.interpreter", undefined, vscode.ConfigurationTarget.Global);
  }
}
