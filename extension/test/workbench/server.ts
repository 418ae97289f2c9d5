/** One code-server: VS Code's workbench for the browser, with a real Node extension host, in folders of its own. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";

import { until } from "./until";
import { kill, type ProcessInfo, processesMarked } from "./processes";

export interface EditorOptions {
  /** Packaged extensions (.vsix files) to install before the start. */
  readonly extensions?: readonly string[];
  /** Added to the environment of the server and all that it starts; `undefined` removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Settings of window and resource scope: `User/settings.json`. */
  readonly userSettings?: Readonly<Record<string, unknown>>;
  /** Settings of machine and machine-overridable scope are read from `Machine/settings.json` only. */
  readonly machineSettings?: Readonly<Record<string, unknown>>;
  /** `restricted` opens every folder in Restricted Mode, without asking. The default trusts every folder. */
  readonly trust?: "all" | "restricted";
  /** Needed to run tests inside the extension host, see `inhost.ts`. Leave it off for everything else. */
  readonly smokeTestDriver?: boolean;
}

interface Installation {
  readonly node: string;
  readonly entry: string;
}

/** A loaded machine has been seen to take ten times as long as an idle one. */
const START_MS = 180_000;
const INSTALL_EXTENSION_MS = 180_000;

/**
 * How long an extension host outlives a page that went away without a word: the product's three hours would pile them
 * up. A page that is only slow, on a loaded machine, must find its own again.
 */
const RECONNECTION_GRACE_SECONDS = 60;

/** How long an extension host may take to end by itself. */
const LEAVE_MS = 15_000;

const MARKER_NAME = "WORKBENCH_TEST_SERVER";

const QUIET_SETTINGS = {
  "workbench.startupEditor": "none",
  "workbench.secondarySideBar.defaultVisibility": "hidden",
  "workbench.tips.enabled": false,
  "telemetry.telemetryLevel": "off",
  "extensions.ignoreRecommendations": true,
  "git.openRepositoryInParentFolders": "never",
  // A file that is typed into must not change behind the test's back.
  "files.autoSave": "off",
};

export class EditorServer {
  private constructor(
    /** `http://127.0.0.1:PORT` */
    readonly url: string,
    /** The temporary folder that holds everything below; it is gone after `stop`. */
    readonly folder: string,
    private readonly marker: string,
    private readonly guard: ChildProcess,
  ) {}

  /** The home folder that the server and the extension see. */
  get home(): string {
    return path.join(this.folder, "home");
  }

  /** Installs the given extensions and starts a server; resolves when it answers. */
  static async start(options: EditorOptions = {}): Promise<EditorServer> {
    const editor = await locateEditor();
    // Short, because sockets are made in it and their paths may have about 100 characters.
    const folder = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), "wb-"));
    const environment = prepare(folder, options);
    const common = [
      editor.entry,
      ...["--config", path.join(folder, "config.yaml")],
      ...["--user-data-dir", path.join(folder, "data")],
      ...["--extensions-dir", path.join(folder, "extensions")],
    ];

    for (const vsix of options.extensions ?? []) {
      await promisify(execFile)(editor.node, [...common, "--install-extension", path.resolve(vsix), "--force"], {
        env: environment,
        timeout: INSTALL_EXTENSION_MS,
      });
    }

    const args = [
      ...common,
      ...["--auth", "none", "--bind-addr", "127.0.0.1:0"],
      ...["--disable-telemetry", "--disable-update-check", "--disable-getting-started-override"],
      ...["--reconnection-grace-time", String(RECONNECTION_GRACE_SECONDS)],
      ...(options.trust === "restricted" ? [] : ["--disable-workspace-trust"]),
      ...(options.smokeTestDriver ? ["--vscode-option", "enable-smoke-test-driver"] : []),
    ];
    const marker = `${MARKER_NAME}=${randomUUID()}`;
    const logFile = path.join(folder, "server.log");
    const log = fs.openSync(logFile, "a");
    const guard = spawn(
      process.execPath,
      [path.join(__dirname, "guard.mjs"), folder, marker, "--", editor.node, ...args],
      { detached: true, stdio: ["pipe", log, log], env: environment },
    );
    fs.closeSync(log);

    try {
      const url = await until("the editor's server to answer", START_MS, async () => {
        const output = fs.readFileSync(logFile, "utf8");
        if (guard.exitCode !== null || / ended: /.test(output))
          throw new Error(`the editor's server did not start:\n${output}`);
        const address = /HTTP server listening on (http:\/\/127\.0\.0\.1:\d+)/.exec(output)?.[1];
        return address && (await answers(`${address}/healthz`)) ? address : undefined;
      });
      return new EditorServer(url, folder, marker, guard);
    } catch (error) {
      await release(guard);
      throw error;
    }
  }

  /** All that the server has started and that runs: its own parts, the extension hosts, and what extensions started. */
  processes(): ProcessInfo[] {
    return processesMarked(this.marker);
  }

  /** The extension hosts, one for each window that is open. */
  extensionHosts(): ProcessInfo[] {
    return this.processes().filter((process) => process.args.includes("--type=extensionHost"));
  }

  /** Waits until the extension hosts of the windows that were closed have ended, and kills those that do not. */
  async endExtensionHosts(): Promise<void> {
    const deadline = Date.now() + LEAVE_MS;
    await until("the extension hosts to end", START_MS, () => {
      const left = this.extensionHosts();
      if (Date.now() > deadline) left.forEach(kill);
      return left.length === 0 ? true : undefined;
    });
  }

  /** Makes a folder with these files (relative path: text), to be opened in a test. It goes with the server. */
  createFolder(name: string, files: Readonly<Record<string, string>> = {}): string {
    const folder = path.join(this.folder, "folders", name);
    fs.mkdirSync(folder, { recursive: true });
    for (const [file, text] of Object.entries(files)) {
      const target = path.join(folder, file);
      fs.mkdirSync(path.dirname(target), { recursive: true });
      fs.writeFileSync(target, text);
    }
    return folder;
  }

  /** The logs of the server, the extension hosts and the extensions' output channels, as paths. */
  logFiles(): string[] {
    const logs = path.join(this.folder, "data", "logs");
    const nested = fs.existsSync(logs) ? fs.readdirSync(logs, { recursive: true, encoding: "utf8" }) : [];
    return [path.join(this.folder, "server.log"), ...nested.map((name) => path.join(logs, name))].filter((file) =>
      file.endsWith(".log"),
    );
  }

  /** Ends the server with everything that descends from it, and deletes its folder. */
  async stop(): Promise<void> {
    await release(this.guard);
  }
}

/** Lays out fresh folders and settings, and returns the environment that points at them. */
function prepare(folder: string, options: EditorOptions): NodeJS.ProcessEnv {
  const home = path.join(folder, "home");
  const runtime = path.join(folder, "run");
  fs.mkdirSync(home, { recursive: true });
  fs.mkdirSync(runtime, { mode: 0o700 });
  fs.writeFileSync(path.join(folder, "config.yaml"), "{}\n");

  const restricted = {
    "security.workspace.trust.startupPrompt": "never",
    "security.workspace.trust.banner": "never",
  };
  writeJson(path.join(folder, "data", "User", "settings.json"), {
    ...QUIET_SETTINGS,
    ...(options.trust === "restricted" ? restricted : {}),
    ...options.userSettings,
  });
  writeJson(path.join(folder, "data", "Machine", "settings.json"), options.machineSettings ?? {});

  // The caller's own editor, if it runs inside one, and its code-server settings must not leak into this one.
  const inherited = Object.entries(process.env).filter(
    ([name]) =>
      !/^(VSCODE_|CODE_SERVER_|CS_|ELECTRON_|NODE_OPTIONS$|PORT$|PASSWORD$|HASHED_PASSWORD$|GITHUB_TOKEN$)/.test(name),
  );
  return {
    ...Object.fromEntries(inherited),
    HOME: home,
    XDG_CONFIG_HOME: path.join(home, ".config"),
    XDG_DATA_HOME: path.join(home, ".local", "share"),
    XDG_STATE_HOME: path.join(home, ".local", "state"),
    XDG_CACHE_HOME: path.join(home, ".cache"),
    XDG_RUNTIME_DIR: runtime,
    EXTENSIONS_GALLERY: '{"serviceUrl":""}', // asks no gallery
    ...options.env,
  };
}

/** Asks `install.mjs`, which alone knows where the editor is kept. */
async function locateEditor(): Promise<Installation> {
  const script = path.join(__dirname, "install.mjs");
  const { stdout } = await promisify(execFile)(process.execPath, [script, "--locate"]);
  return JSON.parse(stdout) as Installation;
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false; // not listening yet
  }
}

/** Closing the pipe is the whole message; the guard does the same when this process dies without a word. */
async function release(guard: ChildProcess): Promise<void> {
  if (guard.exitCode !== null || guard.signalCode !== null) return;
  const ended = new Promise((resolve) => guard.once("exit", resolve));
  guard.stdin?.destroy();
  await ended;
}

function writeJson(file: string, value: unknown): void {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, JSON.stringify(value, undefined, 2));
}
