/** Reads the system's process table, for tests that look for (and kill) what the extension has started. Linux only. */
import fs from "node:fs";
import process from "node:process";

/** One process. A process is identified by its pid and its start time together: pids are used again. */
export interface ProcessInfo {
  readonly pid: number;
  readonly parent: number;
  /** In clock ticks since the machine started. */
  readonly startTime: number;
  readonly args: readonly string[];
}

/** Lists the processes whose environment holds `marker` ("NAME=value"), which children inherit, detached ones too. */
export function processesMarked(marker: string): ProcessInfo[] {
  return pids().flatMap((pid) =>
    read(`/proc/${pid}/environ`).split("\0").includes(marker) ? (inspect(pid) ?? []) : [],
  );
}

/** Lists the children of `pid`, their children and so on. One whose parent has ended is no longer among them. */
export function descendants(pid: number): ProcessInfo[] {
  const all = pids().flatMap((each) => inspect(each) ?? []);
  const below = (parent: number): ProcessInfo[] =>
    all.filter((each) => each.parent === parent).flatMap((each) => [each, ...below(each.pid)]);
  return below(pid);
}

/** Says whether that very process still runs; a zombie has ended. */
export function isRunning(target: ProcessInfo): boolean {
  return inspect(target.pid)?.startTime === target.startTime;
}

/** Ends a process at once, as a crash would; one that has ended already is no error. */
export function kill(target: ProcessInfo): void {
  if (!isRunning(target)) return;
  try {
    process.kill(target.pid, "SIGKILL");
  } catch {
    // it ended in between
  }
}

function inspect(pid: number): ProcessInfo | undefined {
  // The second field is the program's name in parentheses and may itself hold spaces and parentheses.
  const stat = read(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state, parent, startTime] = [fields[0], fields[1], fields[19]];
  if (!state || state === "Z" || state === "X" || !parent || !startTime) return undefined;
  const args = read(`/proc/${pid}/cmdline`).split("\0").slice(0, -1);
  return { pid, parent: Number(parent), startTime: Number(startTime), args };
}

function pids(): number[] {
  return fs
    .readdirSync("/proc")
    .map(Number)
    .filter((pid) => pid > 0);
}

/** Reads a file under /proc as text, or "" when the process has ended or belongs to somebody else. */
function read(file: string): string {
  try {
    return fs.readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
