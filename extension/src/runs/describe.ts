/** What is said of a run in few words; shared by the tree, the status bar and the panel. */
import type { Fact } from "../protocol/panel";
import type { RunSummary, RunTracker } from "../protocol/types";
import { isActive } from "../protocol/words";

const TRACKERS: Record<RunTracker["type"], string> = { mlflow: "MLflow" };

export function progressText(run: RunSummary): string {
  const parts: string[] = [run.state];
  // What a run waits for, a window of its schedule or another run, is all there is to say of it.
  if (run.state === "queued" && run.detail) parts.push(run.detail);
  // What asks for something stands where a narrow list still shows it.
  if (run.tracker?.problem != null) parts.push(`${trackerName(run)} behind`);
  if (run.total_steps !== null && run.step > 0) parts.push(stepText(run));
  const loss = run.metrics.loss;
  if (typeof loss === "number") parts.push(`loss ${lossText(loss)}`);
  return parts.join(" · ");
}

/** Where a run stands among those that wait, whose ids are in the order in which they will go. */
export function placeText(id: string, waiting: readonly string[]): string {
  if (waiting.length < 2) return `${id} is the only run that waits.`;
  return `${id} is number ${waiting.indexOf(id) + 1} of the ${waiting.length} runs that wait.`;
}

/** Everything that is known of a run that rests or goes, a line each. */
export function factLines(run: RunSummary): string[] {
  const lines = [progressText(run)];
  if (run.detail) lines.push(sentenceCase(run.detail));
  if (typeof run.elapsed_seconds === "number") lines.push(`Trained for ${durationText(run.elapsed_seconds)}`);
  if (run.eta_seconds !== null) lines.push(`About ${durationText(run.eta_seconds)} left`);
  const { memory_bytes: memory, cpu_percent: cpu } = run.metrics;
  if (typeof memory === "number") lines.push(`Memory: ${memoryText(memory)}`);
  if (typeof cpu === "number") lines.push(`Processor: ${percentText(cpu)}`);
  if (run.tracker) lines.push(`${trackerName(run)}: ${trackerText(run)}`);
  return lines;
}

/** What is known of a run that was paused: how far it is, what it took, and what is left. */
export function restFacts(run: RunSummary): Fact[] {
  const { loss, memory_bytes: memory, cpu_percent: cpu, gpu_percent: gpu } = run.metrics;
  const measured = (name: string, value: number | null | undefined, text: (value: number) => string): Fact[] =>
    typeof value === "number" ? [[name, text(value)]] : [];
  return [
    ["Step", run.step > 0 ? stepText(run) : "none yet"],
    ...measured("Trained for", run.elapsed_seconds, durationText),
    ...measured("Left", run.eta_seconds, (seconds) => `about ${durationText(seconds)}`),
    ...measured("Last loss", loss, lossText),
    ...measured("Memory", memory, memoryText),
    ...measured("Processor", cpu, percentText),
    ...measured("GPU", gpu, percentText),
    ["Checkpoint", run.checkpoint ?? "none: it begins anew"],
  ];
}

/** How far a run's measurements were sent elsewhere, in one word or with what hinders it. */
export function trackerText(run: RunSummary): string {
  const { tracker } = run;
  if (!tracker) return "off";
  if (tracker.problem !== null) {
    const behind = tracker.missing_steps > 0 ? `behind by ${counted(tracker.missing_steps, "step")}` : "behind";
    const since = tracker.since === null ? "" : ` since ${timeText(tracker.since)}`;
    return `${behind}${since}: ${tracker.problem}`;
  }
  if (isActive(run)) return run.step > 0 ? "sending" : "sending begins with the first step";
  return tracker.complete ? "up to date" : "sending";
}

/** What the tracker of a run is called, for people. */
export function trackerName({ tracker }: RunSummary): string {
  return tracker ? TRACKERS[tracker.type] : "Tracker";
}

/** A moment as people say it: without its day where that is today. */
export function timeText(moment: string, now = new Date()): string {
  const then = new Date(moment);
  const time = { hour: "numeric", minute: "2-digit" } as const;
  if (then.toDateString() === now.toDateString()) return then.toLocaleTimeString([], time);
  return then.toLocaleString([], { day: "numeric", month: "short", ...time });
}

/** The tags that a person wrote, separated by commas. */
export function tagsOf(text: string): string[] {
  const tags = text.split(",").map((tag) => tag.trim());
  return [...new Set(tags)].filter(Boolean);
}

/** Measurements that something is concluded from: `loss 3.2, lowest 1.1`. */
export function evidenceText(evidence: Readonly<Record<string, number | null>>): string {
  return Object.entries(evidence)
    .map(([name, value]) => `${name.replaceAll("_", " ")} ${value === null ? "not a number" : shortText(value)}`)
    .join(", ");
}

function shortText(value: number): string {
  return Number(value.toPrecision(4)).toLocaleString("en", { maximumSignificantDigits: 4 });
}

/** How many there are of what forms its plural by an s: `1 step`, `1,024 steps`. */
export function counted(count: number, noun: string): string {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

/** A size on a disk: `59 MB`, `1.2 GB`. */
export function sizeText(bytes: number): string {
  if (bytes < 1e3) return `${bytes} bytes`;
  const [unit, name] = bytes < 1e6 ? [1e3, "kB"] : bytes < 1e9 ? [1e6, "MB"] : [1e9, "GB"];
  const value = bytes / unit;
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${name}`;
}

export function memoryText(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20).toLocaleString("en")} MiB`;
}

function percentText(percent: number): string {
  return `${Math.round(percent)} %`;
}

function sentenceCase(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
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
