/** Finds a tool that can make a Python environment, and says in plain words why one failed. */
import { Problem } from "../problem";
import { type Installer, MINIMUM_PYTHON } from "./installPlan";
import { CommandFailed, type Runner } from "./processes";

const PYTHON_NAMES = ["python3", "python3.13", "python3.12", "python3.11", "python3.14", "python"];
const VERSION_SCRIPT = "import sys; print('.'.join(map(str, sys.version_info[:3])))";

export type Which = (name: string) => Promise<string | undefined>;

/** Prefers uv, which is faster and can fetch a Python by itself; otherwise takes a new enough Python from the PATH. */
export async function findInstaller(which: Which, run: Runner, cwd: string): Promise<Installer> {
  const python = await findPython(which, run, cwd);
  const uv = await which("uv");
  if (uv) return { kind: "uv", program: uv, python };
  if (python) return { kind: "venv", python };
  throw new Problem(
    `No Python ${MINIMUM_PYTHON} or newer was found on the PATH.`,
    "Install one (or uv, which brings its own), or choose an interpreter.",
  );
}

async function findPython(which: Which, run: Runner, cwd: string): Promise<string | undefined> {
  for (const name of PYTHON_NAMES) {
    const program = await which(name);
    if (!program) continue;
    const version = await pythonVersion(program, run, cwd).catch(() => undefined);
    if (version && isNewEnough(version)) return program;
  }
  return undefined;
}

export async function pythonVersion(python: string, run: Runner, cwd: string): Promise<string> {
  return (await run({ program: python, args: ["-c", VERSION_SCRIPT] }, { cwd })).trim();
}

export function isNewEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [minimumMajor = 0, minimumMinor = 0] = MINIMUM_PYTHON.split(".").map(Number);
  return major > minimumMajor || (major === minimumMajor && minor >= minimumMinor);
}

const CAUSES: readonly (readonly [RegExp, string, string])[] = [
  [/No space left on device|ENOSPC|disk quota exceeded/i, "The disk is full.", "Free some space and try again."],
  [
    /ensurepip is not|No module named '?(venv|ensurepip)/i,
    "This Python cannot make environments.",
    "Install its venv package (on Debian and Ubuntu: python3-venv) and try again.",
  ],
  [
    /No matching distribution|Could not find a version|no versions? of|No solution found/i,
    "A package that is needed was not found in the package index.",
    "Check the index and proxy settings of pip or uv, then try again.",
  ],
  [
    /Temporary failure in name resolution|NewConnectionError|ConnectTimeout|Failed to fetch|dns error|ProxyError/i,
    "The package index could not be reached.",
    "Check the network and proxy settings, then try again.",
  ],
];

export function explainInstallFailure(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof CommandFailed) {
    for (const [pattern, message, remedy] of CAUSES) {
      if (pattern.test(error.output)) return new Problem(message, remedy, { cause: error });
    }
    return new Problem("The Python environment could not be made.", "The log says what the installer answered.", {
      cause: error,
    });
  }
  return Problem.from(error);
}
