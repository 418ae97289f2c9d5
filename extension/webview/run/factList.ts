import type { Fact } from "../../src/protocol/panel";
import { element } from "../element";

/** Rows of a table, each a fact and its name. */
export function factRows(facts: readonly Fact[]): HTMLElement[] {
  return facts.map(([name, value]) =>
    element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, value)),
  );
}
