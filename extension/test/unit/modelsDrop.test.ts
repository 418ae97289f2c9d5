/** What is dropped onto the Models view. The editor's API is stood in for; the daemon's answers are as it gives them. */
import { beforeEach, describe, expect, it, vi } from "vitest";

const shown = vi.hoisted((): string[] => []);
vi.mock("vscode", () => ({
  Uri: {
    parse: (text: string) => {
      const { protocol, pathname } = new URL(text);
      const path = decodeURIComponent(pathname);
      return { scheme: protocol.slice(0, -1), path, fsPath: path };
    },
  },
  window: { showErrorMessage: (text: string) => Promise.resolve(void shown.push(text)) },
}));

import type { ModelLibrary } from "../../src/library/modelLibrary";
import { Problem } from "../../src/problem";
import { ModelsDrop } from "../../src/views/modelsDrop";

const added: string[] = [];
const library = {
  add: (path: string) => {
    if (path.endsWith("letter.gguf"))
      return Promise.reject(new Problem(`${path} is of no known format.`, "Choose another file."));
    added.push(path);
    return Promise.resolve({});
  },
} as unknown as ModelLibrary;

function drop(text: string | undefined): Promise<void> {
  const item = text === undefined ? undefined : { asString: () => Promise.resolve(text) };
  const dropped = { get: (type: string) => (type === "text/uri-list" ? item : undefined) };
  return new ModelsDrop(library).handleDrop(undefined, dropped as never);
}

describe("E30: files that are dropped", () => {
  beforeEach(() => {
    added.length = shown.length = 0;
  });

  it("are added, whatever is in their names", async () => {
    await drop("# from another window\r\nfile:///m/one.gguf\r\nfile:///m/a%20b.gguf\r\n");
    expect(added).toEqual(["/m/one.gguf", "/m/a b.gguf"]);
    expect(shown).toEqual([]);
  });

  it("are told apart when one is no model, and the others are added", async () => {
    await drop("file:///m/letter.gguf\nfile:///m/two.gguf");
    expect(added).toEqual(["/m/two.gguf"]);
    expect(shown).toEqual(["/m/letter.gguf is of no known format. Choose another file."]);
  });

  it("must be on this machine", async () => {
    await drop("https://example.org/x.gguf");
    expect(added).toEqual([]);
    expect(shown[0]).toContain("no file of this machine");
  });

  it("may be none at all", async () => {
    await drop(undefined);
    expect([...added, ...shown]).toEqual([]);
  });
});
