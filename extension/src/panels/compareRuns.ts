/** Other runs to be drawn beside one. */
import * as vscode from "vscode";

import type { ComparedRun } from "../protocol/panel";
import { progressText } from "../runs/describe";
import type { RunStore } from "../runs/runStore";
import type { Server } from "../server/server";

/** As many as there are colours to tell them apart. */
const MOST = 5;
const POINTS = 1_000;

/**
 * Undefined when nothing was chosen and all is to stay as it is.
 *
 * @param chosen the runs that are drawn now
 */
export async function chooseCompared(
  server: Server,
  store: RunStore,
  runId: string,
  chosen: readonly ComparedRun[],
): Promise<ComparedRun[] | undefined> {
  await store.load();
  const drawn = new Set(chosen.map(({ id }) => id));
  const items = store.runs
    .filter(({ id, step }) => id !== runId && step > 0)
    .map((run) => ({ label: run.id, description: progressText(run), picked: drawn.has(run.id), id: run.id }));
  if (items.length === 0) {
    void vscode.window.showInformationMessage("There is no other run that has measured anything.");
    return undefined;
  }
  const title = `Draw Beside ${runId}`;
  const placeHolder = `Choose up to ${MOST} runs`;
  const picked = await vscode.window.showQuickPick(items, { canPickMany: true, title, placeHolder });
  if (!picked) return undefined;
  return Promise.all(
    picked.slice(0, MOST).map(async ({ id }) => {
      const { series } = await server.request("peft/run/series", { run_id: id, points: POINTS });
      return { id, series };
    }),
  );
}
