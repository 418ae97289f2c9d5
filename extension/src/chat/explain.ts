/** `@peft /explain`: what a finding means, from its reference page. No model is asked. */
import * as vscode from "vscode";

import { Problem } from "../problem";
import type { Server } from "../server/server";

const CODE = /\bPW\d{3}\b/i;

interface Asked {
  readonly code: string;
  /** What the finding says at its place, when it is one in the editor. */
  readonly message?: string;
}

/** @throws Problem when no finding is meant, or it has no page. */
export async function explain(server: Server, prompt: string, stream: vscode.ChatResponseStream): Promise<void> {
  const asked = byCode(prompt) ?? atCursor();
  if (!asked)
    throw new Problem(
      "There is no finding at the cursor.",
      "Put the cursor on one, or name its code: `@peft /explain PW501`.",
    );
  const { text, error } = await server.request("peft/finding/explain", { code: asked.code });
  if (error) throw Problem.fromReport(error);
  if (asked.message) stream.markdown(`> ${asked.message}\n\n`);
  // The page's own comment is for whoever edits it.
  stream.markdown((text ?? "").replace(/<!--[^]*?-->\n*/g, ""));
}

function byCode(prompt: string): Asked | undefined {
  const [code] = CODE.exec(prompt) ?? [];
  return code === undefined ? undefined : { code: code.toUpperCase() };
}

/** The finding that the cursor is in, else the first one on its line. */
function atCursor(): Asked | undefined {
  const editor = vscode.window.activeTextEditor;
  if (!editor) return undefined;
  const { active } = editor.selection;
  const ours = vscode.languages
    .getDiagnostics(editor.document.uri)
    .flatMap((diagnostic) => {
      const code = codeOf(diagnostic);
      return code === undefined ? [] : [{ code, message: diagnostic.message, range: diagnostic.range }];
    })
    .filter(({ range }) => range.start.line <= active.line && active.line <= range.end.line);
  return ours.find(({ range }) => range.contains(active)) ?? ours[0];
}

function codeOf({ code }: vscode.Diagnostic): string | undefined {
  const text = String(typeof code === "object" ? code.value : code);
  return CODE.test(text) ? text : undefined;
}
