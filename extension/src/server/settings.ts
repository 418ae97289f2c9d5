/** The extension's settings. In Restricted Mode the editor itself leaves out what the workspace says about these. */
import os from "node:os";
import path from "node:path";

import * as vscode from "vscode";

export interface Settings {
  /** `peft.server.interpreter`, or empty. */
  readonly serverInterpreter: string;
  /** `peft.python`, or empty. */
  readonly python: string;
  /** `peft.dataDir`, or empty. */
  readonly dataDir: string;
  /** `peft.autoStart` */
  readonly autoStart: boolean;
}

export function readSettings(): Settings {
  const configuration = vscode.workspace.getConfiguration("peft");
  const text = (name: string) => expandHome(configuration.get<string>(name, "").trim());
  return {
    serverInterpreter: text("server.interpreter"),
    python: text("python"),
    dataDir: text("dataDir"),
    autoStart: configuration.get<boolean>("autoStart", false),
  };
}

/** Whether a change of settings needs a new server. */
export function affectsServer(event: vscode.ConfigurationChangeEvent): boolean {
  return ["peft.server.interpreter", "peft.python", "peft.dataDir"].some((name) => event.affectsConfiguration(name));
}

function expandHome(text: string): string {
  return text === "~" || text.startsWith("~/") ? path.join(os.homedir(), text.slice(1)) : text;
}
