/** Work that takes a while: seconds in the status bar, minutes in a notification with a button to give it up. */
import * as vscode from "vscode";

export type Progress = vscode.Progress<{ message?: string; increment?: number }>;

/** Runs work behind a notification that can be cancelled; returns nothing for what was cancelled. */
export async function cancellable<T>(
  title: string,
  work: (progress: Progress, token: vscode.CancellationToken) => Promise<T>,
): Promise<T | undefined> {
  const options = { location: vscode.ProgressLocation.Notification, title, cancellable: true };
  return vscode.window.withProgress(options, async (progress, token) => {
    try {
      return await work(progress, token);
    } catch (error) {
      if (token.isCancellationRequested) return undefined;
      throw error;
    }
  });
}

/** Runs work that seldom takes longer than seconds, and says meanwhile in the status bar what is being done. */
export async function inStatusBar<T>(title: string, work: () => Promise<T>): Promise<T> {
  return vscode.window.withProgress({ location: vscode.ProgressLocation.Window, title }, work);
}
