/** What is said of the model server in few words. */
import type { ServeStatus } from "../protocol/types";
import { memoryText } from "../runs/describe";

export interface ServingText {
  /** For the status bar, icon included. */
  readonly text: string;
  /** A line each. */
  readonly facts: readonly string[];
  readonly isError: boolean;
}

/** @param labelOf a model's name for people */
export function servingText(status: ServeStatus | undefined, labelOf: (model: string) => string): ServingText {
  switch (status?.state) {
    case "starting":
      return { text: "$(loading~spin) Models: starting", facts: ["The model server is starting."], isError: false };
    case "error": {
      const why = status.error ? `${status.error.message} ${status.error.remedy}` : "The model server ended.";
      return { text: "$(error) Models: error", facts: [why], isError: true };
    }
    case "running":
      return running(status, labelOf);
    default:
      return { text: "$(circle-slash) Models: stopped", facts: ["The model server is not running."], isError: false };
  }
}

function running(status: ServeStatus, labelOf: (model: string) => string): ServingText {
  const { models = [], loaded = [], port, memory_bytes: memory = 0 } = status;
  const loading = models.find(({ state }) => state === "loading");
  const shown = loading?.base ?? status.model ?? loaded[0];
  const name = shown === undefined ? "Models: running" : labelOf(shown);
  const where = typeof port === "number" ? ` :${port}` : "";
  const facts = [
    ...(status.url ? [`Answers at ${status.url}`] : []),
    ...(status.model ? [`Default model: ${labelOf(status.model)}`] : []),
    ...models.map(({ base, state, error }) => `${labelOf(base)}: ${error ? error.message : state}`),
    ...(models.length === 0 ? ["No model is in memory."] : []),
    ...(memory > 0 ? [`Memory: ${memoryText(memory)}`] : []),
  ];
  return { text: `$(${loading ? "loading~spin" : "server-process"}) ${name}${where}`, facts, isError: false };
}
