/** The run panel's page: asks for the run's events, and shows them as they come. */
import "uplot/dist/uPlot.min.css";
import "../base.css";
import "./style.css";

import {
  type HostMessage,
  isHostMessage,
  isPanelState,
  type PanelMessage,
  type PanelState,
} from "../../src/protocol/panel";
import { Charts } from "./charts";
import { element } from "../element";
import { Header } from "./header";
import { Latest } from "./latest";
import { LogList } from "./logList";
import { RunModel } from "./model";
import { Watch } from "./watch";

declare function acquireVsCodeApi(): {
  postMessage(message: PanelMessage): void;
  getState(): unknown;
  setState(state: PanelState): void;
};

const editor = acquireVsCodeApi();
const send = (message: PanelMessage) => editor.postMessage(message);
const header = new Header(send);
const watch = new Watch(send);
const charts = new Charts();
const latest = new Latest();
const log = new LogList();
const notice = element("p", { class: "notice", role: "alert" });
const content = element(
  "div",
  { class: "content" },
  charts.root,
  element("div", { class: "side" }, latest.root, log.root),
);

let model = new RunModel();
let frame: number | undefined;

function receive(message: HostMessage): void {
  if (message.type === "problem") {
    notice.textContent = `${message.message} ${message.remedy}`.trim();
    notice.hidden = false;
    return;
  }
  notice.hidden = true;
  header.root.hidden = content.hidden = false;
  if (message.whole) model = new RunModel();
  model.apply(message.events);
  header.show(message.run, message.trusted);
  watch.show(message.run, model.recoveries);
  latest.show(message.run);
  remember(message.run.id);
  // Many messages may come between two frames; the charts are drawn once.
  frame ??= requestAnimationFrame(draw);
}

function draw(): void {
  frame = undefined;
  charts.show(model.columns());
  log.show(model.log);
}

function remember(runId: string): void {
  const state = editor.getState();
  if (!isPanelState(state) || state.runId !== runId) editor.setState({ runId });
}

header.root.hidden = content.hidden = true;
notice.textContent = "Loading the run…";
document.querySelector("#run")?.append(notice, header.root, watch.root, content);
window.addEventListener("message", ({ data }: MessageEvent<unknown>) => {
  if (isHostMessage(data)) receive(data);
});
editor.postMessage({ type: "ready" });
