/**
 * What works in a workspace that is not trusted. What could run code that the workspace or a file in it names does not:
 * training, models, and the conversions that load them.
 */
import type { Requests } from "./protocol/types";

/** What is off, as it is said to people. */
export type Off = "Runs" | "Chats" | "Models" | "Conversions";

/** Each command of package.json. One that is off there is not in the palette either, by its `enablement`. */
export const COMMANDS = {
  "peft.run": "Runs",
  "peft.estimate": "works",
  "peft.dryRun": "works",
  "peft.compareConfigs": "works",
  "peft.fixAll": "works",
  "peft.importConfig": "works",
  "peft.exportConfig": "works",
  "peft.pauseRun": "works",
  "peft.resumeRun": "Runs",
  "peft.stopRun": "works",
  "peft.moveRunFirst": "works",
  "peft.moveRunUp": "works",
  "peft.moveRunDown": "works",
  "peft.moveRunLast": "works",
  "peft.cancelRun": "works",
  "peft.cleanUpRuns": "works",
  "peft.noteRun": "works",
  "peft.tagRun": "works",
  "peft.pinRun": "works",
  "peft.unpinRun": "works",
  "peft.exportRun": "works",
  "peft.importRun": "works",
  "peft.revealMade": "works",
  "peft.recoverRun": "works",
  "peft.openRun": "works",
  "peft.chatWithAdapter": "Chats",
  "peft.openChat": "Chats",
  "peft.askAboutSelection": "Chats",
  "peft.compareAnswers": "Chats",
  "peft.chooseChatModel": "Chats",
  "peft.openRunConfig": "works",
  "peft.revealRunFolder": "works",
  "peft.addModel": "works",
  "peft.scanModels": "works",
  "peft.filterModels": "works",
  "peft.chatWithModel": "Chats",
  "peft.copyModelId": "works",
  "peft.revealModel": "works",
  "peft.openModelDefinition": "works",
  "peft.useModelAsBase": "works",
  "peft.convertModel": "Conversions",
  "peft.forgetModel": "works",
  "peft.modelServerMenu": "Models",
  "peft.startModelServer": "Models",
  "peft.stopModelServer": "works",
  "peft.restartModelServer": "Models",
  "peft.copyEndpoint": "Models",
  "peft.showModelServerLog": "works",
  "peft.restartServer": "works",
  "peft.showLogs": "works",
  "peft.setUpEnvironment": "works",
} as const satisfies Readonly<Record<string, Off | "works">>;

export type Command = keyof typeof COMMANDS;

/** What the daemon is not asked for, by whichever button, view or chat. */
export const REQUESTS: Readonly<Partial<Record<keyof Requests, Off>>> = {
  "peft/run/start": "Runs",
  "peft/run/resume": "Runs",
  "peft/chat/complete": "Chats",
  "peft/serve/start": "Models",
  "peft/serve/restart": "Models",
  "peft/serve/load": "Models",
  "peft/serve/switch": "Models",
  "peft/serve/endpoint": "Models",
  "peft/models/convert": "Conversions",
};

export function whyOff(what: Off): string {
  return `${what} are off in Restricted Mode, because they execute what this workspace says.`;
}

export const TRUST_IT = "Trust this workspace to use them.";
