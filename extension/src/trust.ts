import * as vscode from "vscode";

import { Problem } from "./problem";
import { type Off, TRUST_IT, whyOff } from "./restricted";

/** Something that does not work in a workspace that is not trusted. */
export class NotTrusted extends Problem {
  constructor(what: Off) {
    super(whyOff(what), TRUST_IT);
  }
}

/** @throws NotTrusted in Restricted Mode. */
export function requireTrust(what: Off): void {
  if (!vscode.workspace.isTrusted) throw new NotTrusted(what);
}
