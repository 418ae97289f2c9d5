/** The chat panel's page: shows what the extension says of a conversation, and says what somebody does. */
import "../base.css";
import "./style.css";

import {
  type ChatPageMessage,
  type ChatPageState,
  type ChatPanelState,
  isChatHostMessage,
  isChatPanelState,
} from "../../src/protocol/chatPanel";
import { element } from "../element";
import { Composer } from "./composer";
import { ModelBar } from "./modelBar";
import { SettingsPane } from "./settingsPane";
import { Transcript } from "./transcript";

declare function acquireVsCodeApi(): {
  postMessage(message: ChatPageMessage): void;
  getState(): unknown;
  setState(state: ChatPanelState): void;
};

const editor = acquireVsCodeApi();
const notice = element("p", { class: "notice", role: "alert" });

function send(message: ChatPageMessage): void {
  // A notice is about what was done last.
  if (shown) notice.hidden = true;
  editor.postMessage(message);
}

const useSettings = (settings: ChatPageState["settings"]) => send({ type: "settings", settings });

const bar = new ModelBar(send, useSettings);
const settings = new SettingsPane(useSettings);
const transcript = new Transcript(send);
const composer = new Composer(send, remember);

let shown: ChatPageState | undefined;

function show(state: ChatPageState): void {
  const first = shown === undefined;
  if (first) notice.hidden = true;
  shown = state;
  for (const part of [bar, settings, transcript, composer]) part.show(state);
  for (const { root } of [bar, settings, transcript, composer]) root.hidden = false;
  if (first) composer.focus();
  remember();
}

function remember(): void {
  if (shown) editor.setState({ id: shown.id, settings: shown.settings, draft: composer.draft });
}

function complain(message: string, remedy: string): void {
  notice.textContent = `${message} ${remedy}`.trim();
  notice.hidden = false;
}

const before = editor.getState();
if (isChatPanelState(before)) composer.draft = before.draft;
for (const { root } of [bar, settings, transcript, composer]) root.hidden = true;
notice.textContent = "Loading the chat…";
document
  .querySelector("#chat")
  ?.append(bar.root, settings.root, notice, transcript.root, transcript.announcer, composer.root);
window.addEventListener("message", ({ data }: MessageEvent<unknown>) => {
  if (!isChatHostMessage(data)) return;
  if (data.type === "state") show(data.state);
  else if (data.type === "text") transcript.add(data.at, data.side, data.text);
  else if (data.type === "problem") complain(data.message, data.remedy);
  else composer.focus();
});
window.addEventListener("keydown", ({ key }) => {
  if (key === "Escape" && shown?.answering) send({ type: "stop" });
});
send({ type: "ready" });
