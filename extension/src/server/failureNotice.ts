/** Tells, once for each failure, that the server does not run, and offers what can be done. */
import * as vscode from "vscode";

import { type Action, SHOW_LOGS, showProblem } from "../notices";
import { chooseInterpreter } from "./chooseInterpreter";
import { ProtocolMismatch } from "./handshake";
import type { Server } from "./server";

const RESTART: Action = { title: "Restart", run: () => vscode.commands.executeCommand("peft.restartServer") };
const REPAIR: Action = { title: "Repair", run: () => vscode.commands.executeCommand("peft.setUpEnvironment") };

export function announceFailures(server: Server, cwd: string): vscode.Disposable {
  const choose: Action = { title: "Choose Interpreter", run: () => chooseInterpreter("server.interpreter", cwd) };
  return server.onDidChangeState((state) => {
    if (state.kind !== "failed") return;
    const actions = state.problem instanceof ProtocolMismatch ? [REPAIR, choose] : [RESTART, REPAIR, choose, SHOW_LOGS];
    void showProblem(state.problem, ...actions);
  });
}
