/** What `npm run workbench` runs: the editor of the tests, for a person. */
import { createProject, editorOptions } from "./product";
import { EditorServer } from "./server";

async function main(): Promise<void> {
  const editor = await EditorServer.start(editorOptions);
  const folder = createProject(editor, "workspace");
  console.log(
    `Open ${editor.url}/?folder=${encodeURIComponent(folder)} in a browser. Ctrl+C ends the editor and deletes the workspace.`,
  );
  await new Promise((resolve) => process.once("SIGINT", resolve).once("SIGTERM", resolve));
  await editor.stop();
}

void main();
