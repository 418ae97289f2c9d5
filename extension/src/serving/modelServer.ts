/** The inference process as the rest of the extension knows it: watched, and told what to do. */
import * as vscode from "vscode";

import type { ServeEndpoint, ServeStatus } from "../protocol/types";
import type { Server } from "../server/server";

export class ModelServer {
  private current: ServeStatus | undefined;
  private door: Promise<ServeEndpoint> | undefined;
  private readonly emitter = new vscode.EventEmitter<void>();

  /** What it is doing, or what it has in memory, has changed. */
  readonly onDidChange = this.emitter.event;

  constructor(
    private readonly server: Server,
    private readonly log: vscode.LogOutputChannel,
  ) {}

  register(): vscode.Disposable {
    return vscode.Disposable.from(
      this.emitter,
      this.server.on("peft/serve/changed")((status) => this.take(status)),
      this.server.onDidChangeState(({ kind }) => {
        if (kind === "running") void this.refresh();
        else this.take(undefined);
      }),
    );
  }

  /** Undefined while there is no daemon to say. */
  get status(): ServeStatus | undefined {
    return this.current;
  }

  async start(): Promise<void> {
    this.take(await this.server.request("peft/serve/start", {}));
  }

  async stop(): Promise<void> {
    this.take(await this.server.request("peft/serve/stop", {}));
  }

  async restart(): Promise<void> {
    this.take(await this.server.request("peft/serve/restart", {}));
  }

  /** Brings a model into memory, starting the process first if none runs. A cancel frees it again. */
  async load(model: string, token?: vscode.CancellationToken): Promise<void> {
    this.take(await this.server.request("peft/serve/load", { model }, token));
  }

  async unload(model: string): Promise<void> {
    this.take(await this.server.request("peft/serve/unload", { model }));
  }

  /** Makes a model the one that other programs get when they ask for `default`. */
  async switchTo(model: string): Promise<void> {
    this.take(await this.server.request("peft/serve/switch", { model }));
  }

  /** How other programs reach it, asked for once a process; starts it if none runs. */
  async endpoint(): Promise<ServeEndpoint> {
    const asked = (this.door ??= this.server.request("peft/serve/endpoint", {}));
    try {
      return await asked;
    } catch (error) {
      if (this.door === asked) this.door = undefined;
      throw error;
    }
  }

  /** Tells whether a base is in memory. */
  holds(base: string): boolean {
    return this.current?.state === "running" && (this.current.loaded?.includes(base) ?? false);
  }

  private async refresh(): Promise<void> {
    try {
      this.take(await this.server.request("peft/serve/status", {}));
    } catch (error) {
      this.log.warn(`The model server's state could not be asked for: ${String(error)}`);
    }
  }

  private take(status: ServeStatus | undefined): void {
    // Another process may have another token.
    if (status?.pid !== this.current?.pid) this.door = undefined;
    this.current = status;
    this.emitter.fire();
  }
}
