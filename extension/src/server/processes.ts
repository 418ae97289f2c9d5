/** The border to other programs: everything that the extension executes, except the server itself, goes through a `Runner`. */
import { spawn } from "node:child_process";
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import path from "node:path";

export interface Command {
  readonly program: string;
  readonly args: readonly string[];
}

export interface RunOptions {
  readonly cwd: string;
  readonly signal?: AbortSignal;
  /** Called with each piece of output, from either stream. */
  readonly onOutput?: (text: string) => void;
}

/** Runs a program to its end and resolves with what it wrote to its standard output. */
export type Runner = (command: Command, options: RunOptions) => Promise<string>;

export class CommandFailed extends Error {
  constructor(
    readonly command: Command,
    readonly reason: string,
    readonly output: string,
  ) {
    super(`${path.basename(command.program)} failed: ${reason}`);
  }
}

/** What follows is enough to recognise a cause; an installer's whole output is in the log. */
const KEPT_OUTPUT = 16_384;

export const run: Runner = (command, { cwd, signal, onOutput }) =>
  new Promise((resolve, reject) => {
    const child = spawn(command.program, command.args, {
      cwd,
      env: { ...process.env, PYTHONSAFEPATH: "1", PYTHONUTF8: "1" },
      stdio: ["ignore", "pipe", "pipe"],
      windowsHide: true,
      ...(signal && { signal }),
    });
    let stdout = "";
    let output = "";
    const keep = (text: string) => {
      output = (output + text).slice(-KEPT_OUTPUT);
      onOutput?.(text);
    };
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
      keep(text);
    });
    child.stderr.setEncoding("utf8").on("data", keep);
    child.on("error", (error) => reject(signal?.aborted ? error : new CommandFailed(command, error.message, output)));
    child.on("close", (code, killedBy) =>
      code === 0 ? resolve(stdout) : reject(new CommandFailed(command, `it ended with ${killedBy ?? code}`, output)),
    );
  });

/**
 * Finds a program on the PATH and returns its absolute path. Relative PATH entries are skipped, and the
 * current folder is never looked at: it may be a workspace that is not trusted.
 */
export async function which(name: string): Promise<string | undefined> {
  const suffixes = process.platform === "win32" ? [".exe"] : [""];
  for (const folder of (process.env.PATH ?? "").split(path.delimiter)) {
    if (!path.isAbsolute(folder)) continue;
    for (const suffix of suffixes) {
      const file = path.join(folder, name + suffix);
      if (await isExecutable(file)) return file;
    }
  }
  return undefined;
}

export async function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}
