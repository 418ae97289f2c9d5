import Mocha from "mocha";

/** Runs the tests that `load` imports, and rejects when one fails. */
export async function runTests(load: () => Promise<unknown>): Promise<void> {
  const output = process.env.WORKBENCH_TEST_REPORT;
  const mocha = new Mocha({ ui: "bdd", timeout: 120_000, reporter: "json", reporterOptions: { output } });
  // Makes `describe` and `it` known to a bundle, which mocha does not load itself.
  mocha.suite.emit("pre-require", globalThis, "", mocha);
  await load();
  return new Promise((resolve, reject) => {
    mocha.run((failures) => (failures ? reject(new Error(`${failures} failed`)) : resolve()));
  });
}
