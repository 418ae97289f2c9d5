import { randomBytes } from "node:crypto";

import * as vscode from "vscode";

import { page, type PageName } from "./page";

/** Makes a webview show one of our pages; it can reach our own files and nothing else. */
export function showPage(webview: vscode.Webview, name: PageName, extensionUri: vscode.Uri): void {
  const resources = vscode.Uri.joinPath(extensionUri, "dist", "webview");
  const uri = (file: string) => webview.asWebviewUri(vscode.Uri.joinPath(resources, file)).toString();
  webview.options = { enableScripts: true, localResourceRoots: [resources] };
  webview.html = page({
    name,
    cspSource: webview.cspSource,
    nonce: randomBytes(16).toString("base64"),
    scriptUri: uri(`${name}.js`),
    styleUri: uri(`${name}.css`),
  });
}
