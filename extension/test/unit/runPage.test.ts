import { describe, expect, it } from "vitest";

import { runPage } from "../../src/panels/runPage";

const page = runPage({
  cspSource: "https://webview.test",
  nonce: "r4nd0m",
  scriptUri: "https://webview.test/run.js",
  styleUri: "https://webview.test/run.css",
});
const policy = /<meta http-equiv="Content-Security-Policy" content="([^"]+)"/.exec(page)?.[1] ?? "";
const directives = new Map(policy.split("; ").map((part) => [part.split(" ")[0], part.split(" ").slice(1)] as const));

describe("the run panel's page", () => {
  it("allows nothing but what is named", () => {
    expect(directives.get("default-src")).toEqual(["'none'"]);
    expect([...directives.keys()].sort()).toEqual(["default-src", "font-src", "img-src", "script-src", "style-src"]);
  });

  it("runs scripts by nonce only", () => {
    expect(directives.get("script-src")).toEqual(["'nonce-r4nd0m'"]);
    for (const [tag] of page.matchAll(/<script[^>]*>/g)) expect(tag).toContain('nonce="r4nd0m"');
  });

  it("has no unsafe source and nothing inline", () => {
    expect(policy).not.toMatch(/unsafe|\*|https?:(?!\/\/webview\.test)/);
    expect(page).not.toMatch(/<style|style=|\son\w+=|javascript:/i);
    expect(page).toMatch(/<script[^>]*><\/script>/);
  });

  it("sets the policy before anything is loaded", () => {
    expect(page.indexOf("Content-Security-Policy")).toBeLessThan(page.indexOf("<link"));
  });
});
