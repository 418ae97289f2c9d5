/** What is said of a run in few words; shared by the tree, the status bar and the panel. */
import type { RunSummary } from "../protocol/types";

export function progressText(run: RunSummary): string {
  const parts: string[] = [run.state];
  if (run.total_steps !== null && run.step > 0) parts.push(stepText(run));
  const loss = run.metrics.loss;
  if (typeof loss === "number") parts.push(`loss ${lossText(loss)}`);
  return parts.join(" · ");
}

export function stepText(run: RunSummary): string {
  return run.total_steps === null ? `${run.step}` : `${run.step}/${run.total_steps}`;
}

export function lossText(loss: number): string {
  return loss.toFixed(loss < 10 ? 3 : 1);
}

export function durationText(seconds: number): string {
  const rounded = Math.max(0, Math.round(seconds));
  if (rounded < 60) return `${rounded} s`;
  const minutes = Math.floor(rounded / 60);
  if (minutes < 60) return `${minutes} min ${rounded % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
