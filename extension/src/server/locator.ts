/** Where the interpreter of the language server comes from, in the order in which the places are asked. */
import path from "node:path";

import { Problem } from "../problem";
import type { ManagedEnvironments } from "./environment";
import { isExecutable } from "./processes";

export interface Interpreter {
  readonly python: string;
  readonly origin: "setting" | "managed";
}

/**
 * 1. The setting `peft.server.interpreter`. When it is wrong that is said, not passed over: who sets it means it.
 * 2. The environment that the extension has made.
 *
 * Undefined when an environment is to be made first.
 */
export async function locateServer(
  setting: string,
  environments: Pick<ManagedEnvironments, "find">,
): Promise<Interpreter | undefined> {
  if (setting) {
    await requireInterpreter("peft.server.interpreter", setting);
    return { python: setting, origin: "setting" };
  }
  const managed = await environments.find();
  return managed === undefined ? undefined : { python: managed, origin: "managed" };
}

/** @throws Problem when the setting does not name a program by its absolute path. */
export async function requireInterpreter(setting: string, value: string): Promise<void> {
  if (path.isAbsolute(value) && (await isExecutable(value))) return;
  throw new Problem(
    `The setting ${setting} names no Python interpreter: ${value}.`,
    "Set the absolute path of one, or leave it empty.",
  );
}
