/** How other programs are told to use the model server: each in the words of its own settings. */
import type { ChatModel, ServeEndpoint } from "../protocol/types";

export interface EndpointForm {
  readonly label: string;
  readonly detail: string;
  /** What goes to the clipboard; the token is in it. */
  readonly text: (endpoint: ServeEndpoint, models: readonly ChatModel[]) => string;
}

/** Most of a small context is wanted for the prompt. */
const MAX_OUTPUT_TOKENS = 1024;

export const FORMS: readonly EndpointForm[] = [
  {
    label: "VS Code: Custom Endpoint",
    detail: "An entry of chatLanguageModels.json, of VS Code 1.122 or newer",
    text: ({ url, token }, models) =>
      json({
        name: "PEFT Workbench",
        vendor: "customendpoint",
        apiKey: token,
        apiType: "chat-completions",
        models: models.map(({ id, label, context_length, tool_calling }) => {
          const maxOutputTokens = outputTokens(context_length);
          return {
            id,
            name: label,
            url: `${url}/chat/completions`,
            toolCalling: tool_calling,
            vision: false,
            maxInputTokens: context_length - maxOutputTokens,
            maxOutputTokens,
          };
        }),
      }),
  },
  {
    label: "Cline or Roo Code",
    detail: "The fields of the provider “OpenAI Compatible”",
    text: ({ url, token }, models) =>
      [`Base URL: ${url}`, `API Key: ${token}`, ...models.map(({ id }) => `Model ID: ${id}`), ""].join("\n"),
  },
  {
    label: "Continue",
    detail: "Entries under models: in config.yaml",
    text: ({ url, token }, models) => models.map((model) => continueEntry(url, token, model)).join(""),
  },
  {
    label: "Any OpenAI client",
    detail: "The environment variables OPENAI_BASE_URL and OPENAI_API_KEY",
    text: ({ url, token }) => `OPENAI_BASE_URL=${url}\nOPENAI_API_KEY=${token}\n`,
  },
];

export function outputTokens(contextLength: number): number {
  return Math.min(MAX_OUTPUT_TOKENS, Math.floor(contextLength / 2));
}

function continueEntry(url: string, token: string, { id, label }: ChatModel): string {
  const lines = [
    `  - name: ${JSON.stringify(label)}`,
    "    provider: openai",
    `    model: ${JSON.stringify(id)}`,
    `    apiBase: ${JSON.stringify(url)}`,
    `    apiKey: ${JSON.stringify(token)}`,
    "    roles: [chat, edit]",
  ];
  return `${lines.join("\n")}\n`;
}

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
