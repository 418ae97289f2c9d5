/** The models of this machine, as the daemon last told, and the filter through which they are seen. */
import { randomUUID } from "node:crypto";

import * as vscode from "vscode";

import type { ConversionOffers, ConvertResult, DefinitionFault, ModelEntry, ResidentModel } from "../protocol/types";
import type { RunStore } from "../runs/runStore";
import type { Server } from "../server/server";
import type { ModelServer } from "../serving/modelServer";
import { type FilterChoice, queryOf } from "./filter";

export class ModelLibrary implements vscode.Disposable {
  private readonly emitter = new vscode.EventEmitter<void>();
  private readonly subscriptions: vscode.Disposable[];
  private wanted = false;
  private asked = 0;

  /** What is shown of the models has changed. */
  readonly onDidChange = this.emitter.event;

  models: readonly ModelEntry[] = [];
  faults: readonly DefinitionFault[] = [];
  filter: readonly FilterChoice[] = [];

  constructor(
    private readonly server: Server,
    private readonly serving: ModelServer,
    runs: RunStore,
    private readonly log: vscode.LogOutputChannel,
  ) {
    const refresh = () => void this.refresh();
    this.subscriptions = [
      server.on("peft/models/changed")(refresh),
      runs.onDidEnd(refresh),
      server.onDidChangeState(({ kind }) => kind === "running" && refresh()),
      serving.onDidChange(() => this.emitter.fire()),
    ];
  }

  get(id: string): ModelEntry | undefined {
    return this.models.find((model) => model.id === id);
  }

  /** How far a base is on its way into memory; undefined when nobody asked for it. */
  residentOf(id: string): ResidentModel | undefined {
    // A file that was given a name is served as the file that it is.
    const names = [id, this.get(id)?.path];
    return this.serving.status?.models?.find(({ base }) => names.includes(base));
  }

  /** Keeps the list up to date from now on; until somebody looks at it, it is not asked for. */
  async show(): Promise<void> {
    if (this.wanted) return;
    this.wanted = true;
    await this.refresh();
  }

  /**
   * Asks for the models that somebody waits for, and keeps them up to date from now on.
   *
   * @throws Problem when they cannot be had: that is not to be taken for none.
   */
  async load(): Promise<void> {
    this.wanted = true;
    await this.ask();
  }

  async filterBy(choices: readonly FilterChoice[]): Promise<void> {
    this.filter = choices;
    await this.refresh();
  }

  async scan(): Promise<void> {
    await this.server.request("peft/models/scan", {});
    await this.refresh();
  }

  async add(path: string, id?: string): Promise<ModelEntry> {
    return this.server.request("peft/models/add", { path, id: id ?? null });
  }

  async forget(id: string): Promise<void> {
    await this.server.request("peft/models/remove", { id });
  }

  /** What a model can be converted to. */
  async offers(id: string): Promise<ConversionOffers> {
    return this.server.request("peft/models/offers", { id });
  }

  /** Converts a model; the result is listed when this returns. A cancel leaves nothing. */
  async convert(
    model: string,
    to: string,
    output: string,
    tell: (step: string, share: number | null) => void,
    token: vscode.CancellationToken,
  ): Promise<ConvertResult> {
    const request_id = randomUUID();
    const listening = this.server.on("peft/models/progress")(({ request_id: id, progress }) => {
      if (id === request_id) tell(progress.step, progress.share ?? null);
    });
    try {
      const made = await this.server.request("peft/models/convert", { request_id, model, to, output }, token);
      await this.show();
      await this.refresh();
      return made;
    } finally {
      listening.dispose();
    }
  }

  dispose(): void {
    vscode.Disposable.from(...this.subscriptions).dispose();
    this.emitter.dispose();
  }

  private async refresh(): Promise<void> {
    if (!this.wanted || this.server.state.kind !== "running") return;
    try {
      await this.ask();
    } catch (error) {
      this.log.warn(`The models could not be listed: ${String(error)}`);
    }
  }

  private async ask(): Promise<void> {
    const asked = ++this.asked;
    const { models, faults } = await this.server.request("peft/models/list", queryOf(this.filter));
    // An answer that was overtaken by a later one is old.
    if (asked !== this.asked) return;
    this.models = models;
    this.faults = faults ?? [];
    this.emitter.fire();
  }
}
