/** Work that takes minutes, shown by a notification with a button to give it up. */
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
