/** What a person sees of the tracker that a run's config names: that it is away, and that it has everything. */
import { once } from "node:events";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";

import { expect } from "./harness";
import { productHome, runPython, startPython, test } from "./product";

const MINUTE_MS = 60_000;

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test("H5 a tracker that is away is said to be behind, and up to date when it has everything, with the way there", async ({
  workbench,
  editor,
}) => {
  test.setTimeout(6 * MINUTE_MS);
  const { page } = workbench;
  const port = await freePort();
  await runPython(
    editor,
    `from peft_engine.rundir.tracking import lay_out_tracker
from peft_schemas.config import TrackerConfig
from tests.unit.store.conftest import make_run_directory
lay_out_tracker(make_run_directory("tracked"), TrackerConfig(type="mlflow", url="http://127.0.0.1:${port}"))`,
  );
  await workbench.open(editor.createFolder("tracked"));
  const row = page.getByRole("treeitem", { name: /^Run tracked-1, .*MLflow behind/ });
  await workbench.runCommand("PEFT Workbench: Focus on Runs View");
  await row.click();
  const panel = await workbench.webview("h1:text-is('tracked')");
  const line = panel.locator(".tracker");
  await expect(line).toContainText(/^MLflow: behind by 2 steps since .+: The tracker at .+ cannot be reached: /);

  const server = startPython(
    editor,
    `from tests.mlflow_server import MlflowStandIn
with MlflowStandIn().serving(${port}):
    input()`,
  );
  try {
    await expect(line).toContainText("MLflow: up to date", { timeout: 2 * MINUTE_MS });
    await expect(row).toHaveCount(0);
    const shown = page.context().waitForEvent("page");
    await line.getByRole("link", { name: "Open in MLflow" }).press("Enter");
    expect(decodeURIComponent((await shown).url())).toContain("/#/runs/");
  } finally {
    server.stdin?.end("\n");
    await once(server, "exit");
  }
  // Specs share a home.
  fs.rmSync(path.join(productHome(editor), "runs/tracked-1"), { recursive: true, maxRetries: 5 });
});
