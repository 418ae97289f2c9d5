/** What the run said, line by line. It stays at its end, unless somebody has scrolled up to read. */
import { element } from "../element";
import type { LogLine } from "./eventText";

export class LogList {
  readonly root: HTMLElement;
  private readonly list = element("ol", { class: "lines", tabindex: "0", "aria-labelledby": "log-title" });
  private first: LogLine | undefined;

  constructor() {
    this.root = element("section", { class: "log" }, element("h2", { id: "log-title" }, "Log"), this.list);
  }

  show(lines: readonly LogLine[]): void {
    const atEnd = this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight < 4;
    // Lines are only ever added at the end, until the oldest ones are dropped.
    if (lines[0] !== this.first) this.list.replaceChildren();
    this.first = lines[0];
    this.list.append(...lines.slice(this.list.childElementCount).map(item));
    if (atEnd) this.list.scrollTop = this.list.scrollHeight;
  }
}

function item(line: LogLine): HTMLElement {
  const time = element("time", { datetime: line.time }, new Date(line.time).toLocaleTimeString());
  return element("li", { class: line.level }, time, " ", line.text);
}
