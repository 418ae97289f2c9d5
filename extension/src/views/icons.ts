import * as vscode from "vscode";

/** Our icon where the editor shows it as an image, and so in its own colours. */
export function fileIcon(extensionUri: vscode.Uri): { light: vscode.Uri; dark: vscode.Uri } {
  const media = vscode.Uri.joinPath(extensionUri, "media");
  return { light: vscode.Uri.joinPath(media, "file-light.svg"), dark: vscode.Uri.joinPath(media, "file-dark.svg") };
}
