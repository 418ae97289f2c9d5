/** The run panel's page: asks for the run's events, and shows them as they come. */
import "uplot/dist/uPlot.min.css";
import "../base.css";
import "./style.css";

import {
  type ComparedRun,
  type HostMessage,
  isHostMessage,
  isPanelState,
  type PanelMessage,
  type PanelState,
} from "../../src/protocol/panel";
import { Charts, type View } from "./charts";
import { Chooser } from "./chooser";
import { element } from "../element";
import { Header } from "./header";
import { Latest } from "./latest";
import { LogList } from "./logList";
import { SHOWN_AT_FIRST } from "./metrics";
import { RunModel } from "./model";
import { NotesPane } from "./notesPane";
import { PausedCard } from "./pausedCard";
import { RecordPane } from "./recordPane";
import { TrackerLine } from "./trackerLine";
import { Watch } from "./watch";

declare function acquireVsCodeApi(): {
  postMessage(message: PanelMessage): void;
  getState(): unknown;
  setState(state: PanelState): void;
};

/** More than a chart can show. A run that has gone on for so long is asked for anew, with fewer points. */
const MOST_POINTS = 10_000;

const editor = acquireVsCodeApi();
const send = (message: PanelMessage) => editor.postMessage(message);
const state = editor.getState();
const kept: Partial<PanelState> = isPanelState(state) ? state : {};
let view: View = { shown: kept.shown ?? SHOWN_AT_FIRST, smoothing: kept.smoothing ?? 0 };

const tracker = new TrackerLine();
const header = new Header(tracker.root, send);
const paused = new PausedCard();
const watch = new Watch(send);
const chooser = new Chooser(view, look, send);
const charts = new Charts(chooser.root);
const latest = new Latest();
const notes = new NotesPane(send);
const record = new RecordPane(send);
const log = new LogList();
const notice = element("p", { class: "notice", role: "alert" });
const content = element(
  "div",
  { class: "content" },
  charts.root,
  element("div", { class: "side" }, latest.root, notes.root, record.root, log.root),
);

let model = new RunModel();
let compared: readonly ComparedRun[] = [];
/** As they were before a reload, until they are drawn again. */
let comparedIds = kept.compared ?? [];
let runId: string | undefined;
let asked = false;
let frame: number | undefined;

function receive(message: HostMessage): void {
  switch (message.type) {
    case "problem":
      notice.textContent = `${message.message} ${message.remedy}`.trim();
      notice.hidden = false;
      return;
    case "compared":
      compared = message.runs;
      comparedIds = compared.map(({ id }) => id);
      remember();
      return redraw();
    case "run":
      return tracker.show(message.run);
    case "record":
      return record.show(message.facts);
    case "events":
      return take(message);
  }
}

function take(message: Extract<HostMessage, { type: "events" }>): void {
  notice.hidden = true;
  header.root.hidden = content.hidden = false;
  if (message.history) {
    model = new RunModel(message.history);
    asked = false;
  }
  model.apply(message.events);
  header.show(message.run, message.trusted);
  paused.show(message.run);
  watch.show(message.run, model.recoveries);
  latest.show(message.run);
  notes.show(message.run);
  if (runId !== message.run.id) {
    runId = message.run.id;
    remember();
  }
  if (model.points > MOST_POINTS && !asked) {
    asked = true;
    send({ type: "ready" });
  }
  redraw();
}

/** Many messages may come between two frames; the charts are drawn once. */
function redraw(): void {
  frame ??= requestAnimationFrame(draw);
}

function draw(): void {
  frame = undefined;
  chooser.show(model.curves, compared);
  charts.show(model.curves, view, compared);
  log.show(model.log);
}

function look(chosen: View): void {
  view = chosen;
  remember();
  redraw();
}

function remember(): void {
  if (runId === undefined) return;
  const { shown, smoothing } = view;
  editor.setState({ runId, shown, smoothing, compared: comparedIds });
}

header.root.hidden = content.hidden = paused.root.hidden = true;
notice.textContent = "Loading the run…";
document.querySelector("#run")?.append(notice, header.root, paused.root, watch.root, content);
window.addEventListener("message", ({ data }: MessageEvent<unknown>) => {
  if (isHostMessage(data)) receive(data);
});
send({ type: "ready" });
