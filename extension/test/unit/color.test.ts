import { expect, it } from "vitest";

import { opaque } from "../../webview/run/color";

it.each([
  ["#ea5c0055", "#ea5c00"],
  ["#e505", "#e50"],
  ["rgba(234, 92, 0, 0.33)", "rgb(234, 92, 0)"],
  ["#3794ff", "#3794ff"],
  ["#39f", "#39f"],
  ["rgb(1, 2, 3)", "rgb(1, 2, 3)"],
  ["gray", "gray"],
])("a line in %s is drawn in %s", (given, drawn) => {
  expect(opaque(given)).toBe(drawn);
});
