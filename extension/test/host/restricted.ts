/** The entry of the tests that run inside the extension host of a workspace that is not trusted. */
import { runTests } from "./mocha";

export function run(): Promise<void> {
  return runTests(() => import("./restricted.test"));
}
