/** The entry of the tests that run inside the extension host. */
import Mocha from "mocha";

export async function run(): Promise<void> {
  const output = process.env.WORKBENCH_TEST_REPORT;
  const mocha = new Mocha({ ui: "bdd", timeout: 120_000, reporter: "json", reporterOptions: { output } });
  // Makes `describe` and `it` known to a bundle, which mocha does not load itself.
  mocha.suite.emit("pre-require", globalThis, "", mocha);
  await import("./activation.test");
  await import("./language.test");
  await import("./assistance.test");
  await import("./models.test");
  return new Promise((resolve, reject) => {
    mocha.run((failures) => (failures ? reject(new Error(`${failures} failed`)) : resolve()));
  });
}
