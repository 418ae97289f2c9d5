/** What can be asked about a config without running it. */
import path from "node:path";

import * as vscode from "vscode";

import { Problem } from "../problem";
import type { Server } from "../server/server";
import type { Pages } from "../views/pages";
import { cancellable, inStatusBar } from "./cancellable";
import { configUri, saved } from "./configFile";
import { showFindings } from "./startRun";

const NO_CONFIG = "There is no config here.";

/** `PEFT: Estimate`: what the config comes to, with the arithmetic, as it stands in the editor. */
export async function estimate(server: Server, pages: Pages, given: unknown): Promise<void> {
  const uri = configUri(given, NO_CONFIG);
  const { text } = await inStatusBar(`Estimating ${path.basename(uri.path)}`, () =>
    server.request("peft/config/estimate", { uri: uri.toString() }),
  );
  if (text !== null) await showPage(pages, `Estimate of ${path.basename(uri.path)}`, text);
}

/** `PEFT: Dry Run`: checks the config, its model and its data, and starts nothing. */
export async function dryRun(server: Server, pages: Pages, given: unknown): Promise<void> {
  const uri = configUri(given, NO_CONFIG);
  await saved(uri, "A dry run reads what is on disk.");
  const plan = await cancellable(`Reading what ${path.basename(uri.path)} names`, (_, token) =>
    server.request("peft/config/plan", { uri: uri.toString() }, token),
  );
  if (!plan) return;
  const { text, findings, error } = plan;
  if (text !== null) await showPage(pages, `Dry run of ${path.basename(uri.path)}`, text);
  else if (findings && findings.length > 0) await showFindings(uri, findings.length, "It cannot be run");
  else if (error) throw Problem.fromReport(error);
}

/** `PEFT: Compare Configs`: the values that two configs come to, side by side. */
export async function compareConfigs(server: Server, pages: Pages, given: unknown): Promise<void> {
  const uri = configUri(given, NO_CONFIG);
  const other = await pickOther(uri);
  if (!other) return;
  const [left, right] = await inStatusBar(`Comparing with ${path.basename(other.path)}`, () =>
    Promise.all([other, uri].map((one) => effectivePage(server, pages, one))),
  );
  const title = `${path.basename(other.path)} ↔ ${path.basename(uri.path)} (effective values)`;
  await vscode.commands.executeCommand("vscode.diff", left, right, title);
}

/** `PEFT: Fix All Problems in This File`: every repair that needs no decision, in one step to undo. */
export async function fixAll(given: unknown): Promise<void> {
  await vscode.window.showTextDocument(configUri(given, NO_CONFIG));
  await vscode.commands.executeCommand("editor.action.sourceAction", { kind: "source.fixAll.peft", apply: "first" });
}

async function effectivePage(server: Server, pages: Pages, uri: vscode.Uri): Promise<vscode.Uri> {
  const { text } = await server.request("peft/config/effective", { uri: uri.toString() });
  return pages.write(`effective/${vscode.workspace.asRelativePath(uri)}.yaml`, text ?? "");
}

async function showPage(pages: Pages, name: string, text: string): Promise<void> {
  await vscode.commands.executeCommand("markdown.showPreview", pages.write(`${name}.md`, text));
}

async function pickOther(uri: vscode.Uri): Promise<vscode.Uri | undefined> {
  const found = await vscode.workspace.findFiles("**/*.peft.{yaml,yml}");
  const items = found
    .filter((other) => other.toString() !== uri.toString())
    .map((other) => ({ label: vscode.workspace.asRelativePath(other), uri: other }))
    .sort((a, b) => a.label.localeCompare(b.label));
  if (items.length === 0) void vscode.window.showInformationMessage("There is no other config in this workspace.");
  if (items.length <= 1) return items[0]?.uri;
  return (await vscode.window.showQuickPick(items, { placeHolder: "Compare with" }))?.uri;
}
