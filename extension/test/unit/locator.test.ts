import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";

import { afterAll, describe, expect, it } from "vitest";

import { Problem } from "../../src/problem";
import { locateServer } from "../../src/server/locator";

const folder = mkdtempSync(path.join(os.tmpdir(), "locator-"));
const interpreter = path.join(folder, "python");
writeFileSync(interpreter, "");
chmodSync(interpreter, 0o755);
writeFileSync(path.join(folder, "notes.txt"), "");

afterAll(() => rmSync(folder, { recursive: true }));

const made = { find: () => Promise.resolve("/managed/bin/python") };
const nothingMade = { find: () => Promise.resolve(undefined) };

describe("locateServer", () => {
  it("takes the setting before the managed environment", async () => {
    expect(await locateServer(interpreter, made)).toEqual({ python: interpreter, origin: "setting" });
  });

  it("takes the managed environment when nothing is set", async () => {
    expect(await locateServer("", made)).toEqual({ python: "/managed/bin/python", origin: "managed" });
  });

  it("finds nothing when there is neither, so that an environment is made", async () => {
    expect(await locateServer("", nothingMade)).toBeUndefined();
  });

  it.each([path.join(folder, "absent"), path.join(folder, "notes.txt"), "python3", "./python"])(
    "says that %s is no interpreter instead of passing over it",
    async (setting) => {
      await expect(locateServer(setting, made)).rejects.toThrow(Problem);
      await expect(locateServer(setting, made)).rejects.toThrow("peft.server.interpreter");
    },
  );
});
