/** The entry of the tests that run inside the extension host. */
import { runTests } from "./mocha";

export function run(): Promise<void> {
  return runTests(async () => {
    await import("./activation.test");
    await import("./language.test");
    await import("./assistance.test");
    await import("./models.test");
  });
}
