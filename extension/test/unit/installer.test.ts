import { describe, expect, it } from "vitest";

import { Problem } from "../../src/problem";
import { explainInstallFailure, findInstaller, isNewEnough } from "../../src/server/installer";
import { CommandFailed, type Runner } from "../../src/server/processes";

/** A machine with these programs; an interpreter answers with its version. */
function machine(programs: Record<string, string>) {
  const which = (name: string) => Promise.resolve(name in programs ? `/bin/${name}` : undefined);
  const run: Runner = ({ program }) => Promise.resolve(`${programs[program.replace("/bin/", "")]}\n`);
  return () => findInstaller(which, run, "/");
}

describe("findInstaller", () => {
  it("prefers uv", async () => {
    expect(await machine({ uv: "", python3: "3.12.1" })()).toEqual({
      kind: "uv",
      program: "/bin/uv",
      python: "/bin/python3",
    });
  });

  it("takes the first Python that is new enough", async () => {
    const installer = await machine({ python3: "3.9.2", "python3.12": "3.12.4" })();
    expect(installer).toEqual({ kind: "venv", python: "/bin/python3.12" });
  });

  it("says what to install when there is nothing to make an environment with", async () => {
    await expect(machine({ python3: "3.10.9" })()).rejects.toThrow(Problem);
    await expect(machine({})()).rejects.toThrow("No Python 3.11 or newer");
  });

  it.each([
    ["3.11.0", true],
    ["3.14.2", true],
    ["4.0.0", true],
    ["3.10.14", false],
    ["2.7.18", false],
  ])("judges %s", (version, enough) => {
    expect(isNewEnough(version)).toBe(enough);
  });
});

describe("explainInstallFailure", () => {
  const failed = (output: string) => new CommandFailed({ program: "/bin/pip", args: [] }, "it ended with 1", output);

  it.each([
    ["OSError: [Errno 28] No space left on device", "The disk is full."],
    [
      "The virtual environment was not created successfully because ensurepip is not available.",
      "cannot make environments",
    ],
    ["ERROR: No matching distribution found for pydantic==9", "was not found in the package index"],
    ["NewConnectionError: Failed to establish a new connection", "could not be reached"],
    ["Segmentation fault", "could not be made"],
  ])("says in a sentence what %j means", (output, sentence) => {
    const problem = explainInstallFailure(failed(output));
    expect(problem.message).toContain(sentence);
    expect(problem.remedy).not.toBe("");
    expect(problem.text).not.toContain("Errno");
  });
});
