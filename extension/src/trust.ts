import * as vscode from "vscode";

import { Problem } from "./problem";
import { type Off, whyOff } from "./restricted";

/** Something that does not work in a workspace that is not trusted. */
export class NotTrusted extends Problem {
  constructor(what: Off) {
    super(whyOff(what), "Trust this workspace to use them.");
  }
}

/** @throws NotTrusted in Restricted Mode. */
export function requireTrust(what: Off): void {
  if (!vscode.workspace.isTrusted) throw new NotTrusted(what);
}
