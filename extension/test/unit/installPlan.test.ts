import { describe, expect, it } from "vitest";

import { installPlan } from "../../src/server/installPlan";

const payload = { wheel: "/ext/dist/server/peft workbench.whl", constraints: "/ext/dist/server/constraints.txt" };

describe("installPlan", () => {
  it("makes an environment with venv and installs the wheel with pip under the constraints", () => {
    const [make, install, ...rest] = installPlan({ kind: "venv", python: "/usr/bin/python3" }, payload, [], "/env");
    expect(rest).toEqual([]);
    expect(make).toMatchObject({ program: "/usr/bin/python3", args: ["-m", "venv", "/env"] });
    expect(install?.program).toBe("/env/bin/python");
    expect(install?.args.slice(0, 3)).toEqual(["-m", "pip", "install"]);
    expect(install?.args.slice(-3)).toEqual([
      "--constraint",
      payload.constraints,
      "peft-workbench @ file:///ext/dist/server/peft%20workbench.whl",
    ]);
  });

  it("asks for the training and serving packages only when they are wanted", () => {
    const [, install] = installPlan({ kind: "venv", python: "/usr/bin/python3" }, payload, ["train", "serve"], "/env");
    expect(install?.args.at(-1)).toMatch(/^peft-workbench\[train,serve\] @ file:/);
    expect(install?.title).toContain("training");
  });

  it("makes an environment with uv that may be renamed", () => {
    const [make, install] = installPlan(
      { kind: "uv", program: "/bin/uv", python: "/usr/bin/python3" },
      payload,
      [],
      "/env",
    );
    expect(make?.args).toEqual(expect.arrayContaining(["venv", "--relocatable", "/usr/bin/python3"]));
    expect(install).toMatchObject({ program: "/bin/uv" });
    expect(install?.args).toEqual(expect.arrayContaining(["--python", "/env/bin/python"]));
  });

  it("lets uv fetch a Python when none is there", () => {
    const [make] = installPlan({ kind: "uv", program: "/bin/uv", python: undefined }, payload, [], "/env");
    expect(make?.args).toContain(">=3.11");
  });
});
