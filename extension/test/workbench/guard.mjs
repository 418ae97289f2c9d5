// Runs one command for a parent that may die without warning, and leaves nothing of it behind.
//
//   node guard.mjs FOLDER MARKER -- COMMAND ARG…
//
// The parent spawns this script detached, so that a Ctrl+C at the terminal does not reach it half-way through its work,
// and holds its stdin open. When that pipe closes, whatever the reason (the parent is done, crashed, or was killed with
// SIGKILL), the guard ends the command and every process that descends from it, deletes FOLDER, and exits.
//
// Descendants are found by MARKER, a NAME=value pair that the guard adds to their environment: a process in a session
// of its own belongs to another process group, and once its parent is gone nothing else ties it to the command.

import { spawn } from "node:child_process";
import fs from "node:fs";
import process from "node:process";

const POLITE_MS = 5_000;
const POLL_MS = 50;

const [folder, marker, separator, command, ...args] = process.argv.slice(2);
if (separator !== "--" || !command) throw new Error("usage: guard.mjs FOLDER MARKER -- COMMAND ARG…");
const [name, value] = marker.split("=");

process.on("SIGTERM", () => {}); // our own signal to the group, below, must not end us before the work is done
process.on("SIGINT", () => {});

const child = spawn(command, args, { stdio: ["ignore", "inherit", "inherit"], env: { ...process.env, [name]: value } });
child.on("error", (error) => {
  console.error(error.message);
  void end(1);
});
// The command's end does not end the guard: what it has started may live on, and is ended when the parent says so.
child.on("exit", (code, signal) => console.error(`${command} ended: ${signal ?? code}`));

process.stdin.on("close", () => void end(0));
process.stdin.on("error", () => void end(0));
process.stdin.resume();

let ending = false;
async function end(code) {
  if (ending) return;
  ending = true;
  for (const signal of ["SIGTERM", "SIGKILL"]) {
    const signalled = new Set();
    const deadline = Date.now() + POLITE_MS;
    while (signalNew(signal, signalled) && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
  fs.rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  process.exit(code);
}

/**
 * Signals every process that is ours, once each, and says whether any is left.
 * Looking again on every round catches what was being forked meanwhile.
 */
function signalNew(signal, signalled) {
  const pids = marked();
  if (child.pid && child.exitCode === null && child.signalCode === null) pids.add(child.pid);
  for (const pid of pids) {
    if (signalled.has(pid)) continue;
    signalled.add(pid);
    try {
      process.kill(pid, signal);
    } catch {
      // it ended by itself
    }
  }
  return pids.size > 0;
}

/** Only Linux has /proc; elsewhere the guard ends the command itself and trusts it to end its children. */
function marked() {
  const pids = new Set();
  for (const entry of fs.existsSync("/proc") ? fs.readdirSync("/proc") : []) {
    const pid = Number(entry);
    if (!pid || pid === process.pid) continue;
    try {
      if (fs.readFileSync(`/proc/${pid}/environ`, "latin1").split("\0").includes(marker)) pids.add(pid);
    } catch {
      // ended between the two reads, or another user's
    }
  }
  return pids;
}
