/** One daemon process and the language client that talks to it, from start to end. */
import { type ChildProcess, spawn } from "node:child_process";

import * as vscode from "vscode";
import {
  CloseAction,
  ErrorAction,
  ErrorCodes,
  LanguageClient,
  type LanguageClientOptions,
  ResponseError,
} from "vscode-languageclient/node";

import { Problem } from "../problem";
import {
  type ErrorReport,
  type InitializationOptions,
  type Notifications,
  PROTOCOL_VERSION,
  type Requests,
} from "../protocol/types";
import { checkVersion } from "./handshake";

export interface ConnectionOptions {
  readonly python: string;
  /** A folder that nobody else writes to, so that no module of a workspace can be imported in place of ours. */
  readonly cwd: string;
  readonly dataDir: string;
  readonly trainingPython: string;
  readonly extensionVersion: string;
  readonly log: vscode.LogOutputChannel;
}

export type NotificationHandlers = {
  readonly [M in keyof Notifications]: (params: Notifications[M]) => void;
};

/** Enough for the answer to `shutdown`; a server that hangs is then ended by force. */
const STOP_MS = 2_000;

const CONNECTION_LOST: ReadonlySet<number> = new Set([
  ErrorCodes.PendingResponseRejected,
  ErrorCodes.ConnectionInactive,
]);

/** Reports to the log only: what a person is told, and when, is decided by the server's owner. */
class QuietClient extends LanguageClient {
  override error(message: string, data?: unknown): void {
    super.error(message, data, false);
  }
}

export class Connection {
  private closing = false;

  private constructor(
    private readonly client: LanguageClient,
    private readonly child: () => ChildProcess | undefined,
    readonly python: string,
    /** The daemon's own version. */
    readonly version: string,
    /** Resolves when the daemon ended although nobody asked it to. */
    readonly crashed: Promise<void>,
  ) {}

  /** @throws Problem when the daemon does not start or speaks another protocol. */
  static async open(options: ConnectionOptions, handlers: NotificationHandlers): Promise<Connection> {
    let child: ChildProcess | undefined;
    let reportCrash = () => {};
    const crashed = new Promise<void>((resolve) => (reportCrash = resolve));

    const client = new QuietClient(
      "peft",
      "PEFT Workbench",
      () => {
        child = start(options);
        return whenSpawned(child);
      },
      clientOptions(options, reportCrash),
    );
    for (const method of Object.keys(handlers) as (keyof Notifications)[]) {
      client.onNotification(method, handlers[method]);
    }
    try {
      await client.start();
      const version = checkVersion(client.initializeResult?.capabilities.experimental);
      return new Connection(client, () => child, options.python, version, crashed);
    } catch (error) {
      await end(client, child);
      throw error instanceof Problem ? error : startProblem(options.python, error);
    }
  }

  get pid(): number | undefined {
    return this.child()?.pid;
  }

  /** Whether `close` was called, so that an end is no crash. */
  get isClosing(): boolean {
    return this.closing;
  }

  /** @throws Problem when the daemon ends before it has answered, or answers that it cannot do what was asked. */
  async request<M extends keyof Requests>(
    method: M,
    params: Requests[M]["params"],
    token?: vscode.CancellationToken,
  ): Promise<Requests[M]["result"]> {
    try {
      // An undefined token would be sent as a second parameter.
      return await (token ? this.client.sendRequest(method, params, token) : this.client.sendRequest(method, params));
    } catch (error) {
      if (!(error instanceof ResponseError)) throw error;
      if (isReport(error.data)) throw Problem.fromReport(error.data);
      if (!CONNECTION_LOST.has(error.code)) throw error;
      throw new Problem("The language server ended before it had answered.", "It is being restarted; try again.");
    }
  }

  async close(): Promise<void> {
    this.closing = true;
    await end(this.client, this.child());
  }
}

function start(options: ConnectionOptions): ChildProcess {
  const env: NodeJS.ProcessEnv = { ...process.env, PYTHONSAFEPATH: "1", PYTHONUTF8: "1" };
  if (options.dataDir) env.PEFTW_HOME = options.dataDir;
  return spawn(options.python, ["-m", "peft_daemon", "lsp"], { cwd: options.cwd, env, windowsHide: true });
}

function whenSpawned(child: ChildProcess): Promise<ChildProcess> {
  return new Promise((resolve, reject) => {
    child.once("spawn", () => resolve(child)).once("error", reject);
  });
}

function clientOptions(options: ConnectionOptions, reportCrash: () => void): LanguageClientOptions {
  const initializationOptions: InitializationOptions = {
    extension_version: options.extensionVersion,
    protocol: PROTOCOL_VERSION,
    python: options.trainingPython || null,
    trusted: vscode.workspace.isTrusted,
  };
  return {
    documentSelector: [{ scheme: "file", language: "peft-yaml" }],
    initializationOptions,
    outputChannel: options.log,
    initializationFailedHandler: () => false,
    errorHandler: {
      error: () => ({ action: ErrorAction.Continue, handled: true }),
      closed: () => {
        reportCrash();
        return { action: CloseAction.DoNotRestart, handled: true };
      },
    },
  };
}

function isReport(value: unknown): value is ErrorReport {
  return typeof value === "object" && value !== null && "code" in value && "message" in value && "remedy" in value;
}

async function end(client: LanguageClient, child: ChildProcess | undefined): Promise<void> {
  // A client whose server has already gone refuses to stop; there is nothing left to do for it then.
  await client.dispose(STOP_MS).catch(() => {});
  if (child && child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
}

function startProblem(python: string, cause: unknown): Problem {
  return new Problem(
    `The language server did not start with ${python}.`,
    "The log says why; setting up the environment again usually helps.",
    { cause },
  );
}
