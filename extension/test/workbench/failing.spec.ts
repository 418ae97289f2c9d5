/** What a person is told, and can do, when the language server does not stay or does not start. */
import { EditorServer, expect, until, Workbench } from "./harness";
import { altered, createProject, daemons, editorOptions, FILE, test } from "./product";

const MINUTE_MS = 60_000;
const CRASHES = 5;

/** Lists of runs and models that nobody could ask for are not said to be empty. */
const ASKING = ["PEFT: Open Run", "PEFT: Clean Up Runs", "PEFT: Copy Model Id", "PEFT: Look for Models"];

test("a daemon that crashes five times is not started again until somebody asks for it", async ({
  workbench,
  editor,
}) => {
  test.setTimeout(6 * MINUTE_MS);
  await workbench.open(createProject(editor, "crashing", altered(["learning_rate", "learnin_rate"])));
  await workbench.openFile(FILE);
  let last = 0;
  for (let crash = 0; crash < CRASHES; crash++) {
    const daemon = await until("a daemon", MINUTE_MS, () => daemons(editor).find(({ pid }) => pid !== last));
    // A start that fails is no crash, so each is killed when it runs.
    await expect(workbench.statusBarItem(/^\s*PEFT\s*$/).locator(".codicon-check")).toBeVisible();
    last = daemon.pid;
    process.kill(last, "SIGKILL");
    // What the status bar says meanwhile may be over before anybody looks.
    const ticks = workbench.statusBarItem(/^\s*PEFT\s*$/).locator(".codicon-check");
    const isNoticed = async () => (await ticks.count()) === 0 || daemons(editor).some(({ pid }) => pid !== last);
    await until("its end to be noticed", MINUTE_MS, isNoticed);
  }
  const told = workbench.notification("The language server crashed five times in three minutes");
  for (const name of ["Repair", "Choose Interpreter", "Show Logs"])
    await expect(told.getByRole("button", { name, exact: true })).toBeVisible();
  await expect(workbench.statusBarItem("PEFT: not running")).toBeVisible();
  expect(daemons(editor)).toEqual([]);

  await told.getByRole("button", { name: "Restart", exact: true }).click();
  await until("a daemon", MINUTE_MS, () => daemons(editor)[0]);
  await expect(workbench.squiggles("error")).toHaveCount(1);
});

test("a command that needs the daemon says why there is none", async ({ browser }) => {
  test.setTimeout(6 * MINUTE_MS);
  const machineSettings = { "peft.server.interpreter": "/nowhere/python" };
  const editor = await EditorServer.start({ ...editorOptions, machineSettings });
  try {
    const page = await browser.newPage();
    const workbench = new Workbench(page, editor.url);
    await workbench.open(editor.createFolder("without"));
    const told = workbench.notification("The setting peft.server.interpreter names no Python interpreter");
    for (const command of ASKING) {
      await workbench.runCommand(command);
      await expect(told.first()).toBeVisible();
      await workbench.runCommand("Notifications: Clear All Notifications");
      await expect(told).toHaveCount(0);
    }
    await page.close();
  } finally {
    await editor.stop();
  }
});
