/** The daemon as the rest of the extension knows it: started, watched, restarted after crashes, and asked. */
import * as vscode from "vscode";

import { Problem } from "../problem";
import type { Notifications, Requests } from "../protocol/types";
import { REQUESTS } from "../restricted";
import { requireTrust } from "../trust";
import { Connection, type ConnectionOptions, type NotificationHandlers } from "./connection";
import { CrashHistory } from "./crashes";
import { ProtocolMismatch } from "./handshake";
import { RestartQueue } from "./restartQueue";

export type ServerState =
  | { readonly kind: "stopped" }
  | { readonly kind: "starting" }
  | { readonly kind: "running"; readonly version: string }
  /** It crashed, and is started again after a pause. */
  | { readonly kind: "waiting" }
  | { readonly kind: "failed"; readonly problem: Problem };

/** How the daemon is started. */
export interface Launcher {
  /** Finds the interpreter, making its environment first if there is none. */
  prepare(): Promise<ConnectionOptions>;
  /** Called when the daemon did not start; true when something was repaired and a second try is worth it. */
  repair(python: string): Promise<boolean>;
}

type Emitters = { readonly [M in keyof Notifications]: vscode.EventEmitter<Notifications[M]> };

export class Server implements vscode.Disposable {
  private current: ServerState = { kind: "stopped" };
  private connection: Connection | undefined;
  private timer: NodeJS.Timeout | undefined;
  private disposed = false;
  /** Between a crash and the next successful start. */
  private recovering = false;
  private readonly crashes = new CrashHistory();
  private readonly queue = new RestartQueue(() => this.replace());
  private readonly stateEmitter = new vscode.EventEmitter<ServerState>();
  private readonly emitters: Emitters = {
    "peft/run/events": new vscode.EventEmitter(),
    "peft/runs/changed": new vscode.EventEmitter(),
    "peft/disk/low": new vscode.EventEmitter(),
    "peft/chat/delta": new vscode.EventEmitter(),
    "peft/models/changed": new vscode.EventEmitter(),
    "peft/models/progress": new vscode.EventEmitter(),
    "peft/serve/changed": new vscode.EventEmitter(),
  };

  readonly onDidChangeState = this.stateEmitter.event;

  constructor(
    private readonly launcher: Launcher,
    private readonly log: vscode.LogOutputChannel,
  ) {}

  get state(): ServerState {
    return this.current;
  }

  on<M extends keyof Notifications>(method: M): vscode.Event<Notifications[M]> {
    return this.emitters[method].event;
  }

  /** Starts the daemon unless somebody has already. */
  async start(): Promise<void> {
    if (this.current.kind === "stopped") await this.restart();
  }

  /** Starts the daemon, or replaces the one that runs. Failures are told through the state. */
  restart(): Promise<void> {
    this.crashes.forget();
    this.recovering = false;
    return this.queue.request();
  }

  /**
   * Asks the daemon, starting it first if nobody has.
   *
   * @throws Problem when there is no daemon to ask, or what is asked for is off in Restricted Mode.
   */
  async request<M extends keyof Requests>(
    method: M,
    params: Requests[M]["params"],
    token?: vscode.CancellationToken,
  ): Promise<Requests[M]["result"]> {
    const off = REQUESTS[method];
    if (off) requireTrust(off);
    const connection = await this.whenRunning();
    return connection.request(method, params, token);
  }

  async dispose(): Promise<void> {
    this.disposed = true;
    clearTimeout(this.timer);
    await this.connection?.close();
    this.stateEmitter.dispose();
    for (const emitter of Object.values(this.emitters)) emitter.dispose();
  }

  private async whenRunning(): Promise<Connection> {
    void this.start();
    while (!this.connection) {
      if (this.current.kind === "failed") throw this.current.problem;
      await new Promise<void>((resolve) => {
        const subscription = this.onDidChangeState(() => {
          subscription.dispose();
          resolve();
        });
      });
    }
    return this.connection;
  }

  private async replace(): Promise<void> {
    clearTimeout(this.timer);
    const previous = this.connection;
    this.connection = undefined;
    this.setState({ kind: "starting" });
    await previous?.close();
    try {
      const connection = await this.open();
      if (this.disposed) {
        await connection.close();
        return;
      }
      this.connection = connection;
      void connection.crashed.then(() => this.crashedWith(connection));
      this.recovering = false;
      this.log.info(
        `The language server ${connection.version} runs as process ${connection.pid} with ${connection.python}.`,
      );
      this.setState({ kind: "running", version: connection.version });
    } catch (error) {
      this.log.error(error instanceof Error ? error : String(error));
      if (error instanceof Problem && error.cause) this.log.error(error.cause as Error);
      if (this.recovering && !(error instanceof ProtocolMismatch)) this.startAgainLater();
      else this.setState({ kind: "failed", problem: Problem.from(error) });
    }
  }

  private async open(): Promise<Connection> {
    const options = await this.launcher.prepare();
    try {
      return await Connection.open(options, this.handlers());
    } catch (error) {
      if (!(await this.launcher.repair(options.python))) throw error;
      return Connection.open(await this.launcher.prepare(), this.handlers());
    }
  }

  private crashedWith(connection: Connection): void {
    if (connection.isClosing || this.connection !== connection || this.disposed) return;
    this.connection = undefined;
    this.startAgainLater();
  }

  private startAgainLater(): void {
    const delay = this.crashes.record(Date.now());
    if (delay === undefined) {
      const problem = new Problem(
        "The language server crashed five times in three minutes and is not started again.",
        "The log says why.",
      );
      this.setState({ kind: "failed", problem });
      return;
    }
    this.log.warn(`The language server ended unexpectedly; starting it again in ${delay / 1000} s.`);
    this.recovering = true;
    this.setState({ kind: "waiting" });
    this.timer = setTimeout(() => void this.queue.request(), delay);
  }

  private setState(state: ServerState): void {
    if (this.disposed) return;
    this.current = state;
    this.stateEmitter.fire(state);
  }

  private handlers(): NotificationHandlers {
    const handler =
      <M extends keyof Notifications>(method: M) =>
      (params: Notifications[M]) =>
        this.emitters[method].fire(params);
    return {
      "peft/run/events": handler("peft/run/events"),
      "peft/runs/changed": handler("peft/runs/changed"),
      "peft/disk/low": handler("peft/disk/low"),
      "peft/chat/delta": handler("peft/chat/delta"),
      "peft/models/changed": handler("peft/models/changed"),
      "peft/models/progress": handler("peft/models/progress"),
      "peft/serve/changed": handler("peft/serve/changed"),
    };
  }
}
