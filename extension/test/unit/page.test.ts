import { describe, expect, it } from "vitest";

import { page } from "../../src/panels/page";

const html = page({
  name: "run",
  cspSource: "https://webview.test",
  nonce: "r4nd0m",
  scriptUri: "https://webview.test/run.js",
  styleUri: "https://webview.test/run.css",
});
const policy = /<meta http-equiv="Content-Security-Policy" content="([^"]+)"/.exec(html)?.[1] ?? "";
const directives = new Map(policy.split("; ").map((part) => [part.split(" ")[0], part.split(" ").slice(1)] as const));

describe("a panel's page", () => {
  it("allows nothing but what is named", () => {
    expect(directives.get("default-src")).toEqual(["'none'"]);
    expect([...directives.keys()].sort()).toEqual(["default-src", "font-src", "img-src", "script-src", "style-src"]);
  });

  it("runs scripts by nonce only", () => {
    expect(directives.get("script-src")).toEqual(["'nonce-r4nd0m'"]);
    for (const [tag] of html.matchAll(/<script[^>]*>/g)) expect(tag).toContain('nonce="r4nd0m"');
  });

  it("has no unsafe source and nothing inline", () => {
    expect(policy).not.toMatch(/unsafe|\*|https?:(?!\/\/webview\.test)/);
    expect(html).not.toMatch(/<style|style=|\son\w+=|javascript:/i);
    expect(html).toMatch(/<script[^>]*><\/script>/);
  });

  it("sets the policy before anything is loaded", () => {
    expect(html.indexOf("Content-Security-Policy")).toBeLessThan(html.indexOf("<link"));
  });
});
