/** What it takes to make the environment, as data: nothing here touches the disk or starts anything. */
import path from "node:path";
import { pathToFileURL } from "node:url";

import type { Command } from "./processes";

/** The optional parts of the Python distribution that training and serving need. */
export type Extra = "train" | "serve";

/** What the extension carries in `dist/server`. */
export interface Payload {
  readonly wheel: string;
  readonly constraints: string;
}

/** The tool that makes the environment, by its absolute path. */
export type Installer =
  | { readonly kind: "uv"; readonly program: string; readonly python: string | undefined }
  | { readonly kind: "venv"; readonly python: string };

export interface Step extends Command {
  /** Shown while the step runs. */
  readonly title: string;
}

export const MINIMUM_PYTHON = "3.11";

/** The interpreter of a virtual environment. */
export function pythonIn(environment: string, platform: NodeJS.Platform = process.platform): string {
  return platform === "win32"
    ? path.win32.join(environment, "Scripts", "python.exe")
    : path.join(environment, "bin", "python");
}

export function installPlan(installer: Installer, payload: Payload, extras: readonly Extra[], target: string): Step[] {
  const python = pythonIn(target);
  const extrasPart = extras.length > 0 ? `[${extras.join(",")}]` : "";
  const requirement = `peft-workbench${extrasPart} @ ${pathToFileURL(payload.wheel).href}`;
  const title = extras.length > 0 ? "Installing the training and serving packages" : "Installing the language server";
  if (installer.kind === "uv") {
    const base = installer.python ?? `>=${MINIMUM_PYTHON}`;
    return [
      {
        title: "Making a Python environment",
        program: installer.program,
        // Relocatable, because the folder is renamed once it is complete.
        args: ["venv", "--relocatable", "--no-project", "--python", base, target],
      },
      {
        title,
        program: installer.program,
        args: ["pip", "install", "--python", python, "--constraint", payload.constraints, requirement],
      },
    ];
  }
  return [
    { title: "Making a Python environment", program: installer.python, args: ["-m", "venv", target] },
    {
      title,
      program: python,
      args: [
        ...["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar", "off"],
        ...["--constraint", payload.constraints, requirement],
      ],
    },
  ];
}
