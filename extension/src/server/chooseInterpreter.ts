import * as vscode from "vscode";

import { Problem } from "../problem";
import { showProblem } from "../notices";
import { isNewEnough, pythonVersion } from "./installer";
import { MINIMUM_PYTHON } from "./installPlan";
import { run } from "./processes";

/** Lets the user pick a Python interpreter and writes it to a setting. Returns whether one was set. */
export async function chooseInterpreter(setting: "server.interpreter" | "python", cwd: string): Promise<boolean> {
  const picked = await vscode.window.showOpenDialog({
    title: "Choose a Python interpreter that has peft-workbench in it",
    openLabel: "Use This Interpreter",
    canSelectMany: false,
  });
  const python = picked?.[0]?.fsPath;
  if (!python) return false;
  const version = await pythonVersion(python, run, cwd).catch(() => undefined);
  if (!version || !isNewEnough(version)) {
    const message = version ? `${python} is Python ${version}.` : `${python} is no Python interpreter.`;
    await showProblem(new Problem(message, `Choose one of version ${MINIMUM_PYTHON} or newer.`), {
      title: "Choose Interpreter",
      run: () => chooseInterpreter(setting, cwd),
    });
    return false;
  }
  await vscode.workspace.getConfiguration("peft").update(setting, python, vscode.ConfigurationTarget.Global);
  return true;
}
