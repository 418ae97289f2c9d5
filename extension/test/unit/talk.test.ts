/** A conversation against models that fail, are slow or say nothing, and windows that go on with it meanwhile. */
import { beforeEach, describe, expect, it, vi } from "vitest";

import { type Question, Talk, type TalkReader, type TalkSource } from "../../src/chat/talk";
import { Problem } from "../../src/problem";
import type { ChatResult, ChatSettings, ConversationKeepParams, ConversationSummary } from "../../src/protocol/types";

const SETTINGS: ChatSettings = {
  model: "base:a",
  compare_with: null,
  system: "",
  temperature: 0.7,
  top_p: 0.95,
  max_tokens: 64,
  seed: null,
};
const COMPARING = { ...SETTINGS, compare_with: "base" };

class Source implements TalkSource {
  readonly asked: Question[] = [];
  readonly kept: ConversationKeepParams[] = [];
  answer = (question: Question): ChatResult => ({ text: `${question.model} says so`, finish_reason: "stop" });
  /** While set, answers wait for it or for being stopped. */
  gate: Promise<void> | undefined;
  refuse: ((params: ConversationKeepParams) => Problem | undefined) | undefined;

  async ask(question: Question, onText: (text: string) => void, signal: AbortSignal): Promise<ChatResult> {
    this.asked.push(question);
    if (this.gate) {
      onText("half");
      await Promise.race([this.gate, new Promise((resolve) => signal.addEventListener("abort", resolve))]);
      if (signal.aborted) return { text: "half", finish_reason: "cancelled" };
    }
    const result = this.answer(question);
    onText(result.text);
    return result;
  }

  keep(params: ConversationKeepParams): Promise<ConversationSummary> {
    const problem = this.refuse?.(params);
    if (problem) return Promise.reject(problem);
    this.kept.push(params);
    const summary = { id: params.id ?? `c${this.kept.length}`, title: "t", created: "", updated: "", model: "m" };
    return Promise.resolve({ ...summary, exchanges: params.at + 1, revision: (params.revision ?? 0) + 1 });
  }
}

class Reader implements TalkReader {
  readonly texts: string[] = [];
  readonly problems: string[] = [];
  onChange(): void {}
  onText(at: number, side: number, text: string): void {
    this.texts.push(`${at}.${side} ${text}`);
  }
  onProblem(problem: Problem): void {
    this.problems.push(problem.text);
  }
}

let source: Source;
let reader: Reader;
const talk = (settings = SETTINGS) => new Talk(source, reader, settings);
const roles = (index: number) => source.asked[index]?.messages.map(({ role, content }) => `${role}: ${content}`);

beforeEach(() => {
  source = new Source();
  reader = new Reader();
});

describe("a conversation", () => {
  it("sends what was said before, and keeps each exchange where it belongs", async () => {
    const talked = talk({ ...SETTINGS, system: "Be brief." });
    await talked.ask("One?");
    await talked.ask("Two?", "x = 1");
    expect(roles(1)).toEqual(["system: Be brief.", "user: One?", "assistant: base:a says so", "user: x = 1\n\nTwo?"]);
    expect(source.kept.map(({ id, revision, at, exchange }) => [id, revision, at, exchange.answers[0].text])).toEqual([
      [null, 0, 0, expect.any(String)],
      ["c1", 1, 0, "base:a says so"],
      ["c1", 2, 1, expect.any(String)],
      ["c1", 3, 1, "base:a says so"],
    ]);
    expect(reader.texts).toEqual(["0.0 base:a says so", "1.0 base:a says so"]);
  });

  it("draws an answer anew, and gives up what followed", async () => {
    const talked = talk();
    await talked.ask("One?");
    await talked.ask("Two?");
    await talked.regenerate(0);
    expect(roles(2)).toEqual(["user: One?"]);
    expect(talked.exchanges).toHaveLength(1);
    expect(source.kept.at(-1)?.at).toBe(0);
  });

  it("takes an edited prompt with what it was about", async () => {
    const talked = talk();
    await talked.ask("One?", "some code");
    await talked.edit(0, "Other?");
    expect(roles(1)).toEqual(["user: some code\n\nOther?"]);
    expect(talked.exchanges[0]?.prompt).toBe("Other?");
  });

  it("refuses a second prompt while it answers, and keeps what a stopped answer has", async () => {
    source.gate = new Promise(() => {});
    const talked = talk();
    const answered = talked.ask("One?");
    expect(talked.isAnswering).toBe(true);
    await expect(talked.ask("Two?")).rejects.toThrow("still being written");
    talked.stop();
    await answered;
    expect(talked.isAnswering).toBe(false);
    expect(source.kept.at(-1)?.exchange.answers[0]).toMatchObject({ text: "half", finish_reason: "cancelled" });
  });

  it("keeps the prompt at once and what there is of an answer meanwhile, for a window that ends in the middle", async () => {
    vi.useFakeTimers();
    try {
      source.gate = new Promise(() => {});
      const talked = talk();
      const answered = talked.ask("One?");
      expect(source.kept[0]?.exchange).toMatchObject({ prompt: "One?" });
      await vi.advanceTimersByTimeAsync(0);
      expect(talked.summary?.id).toBe("c1");
      await vi.advanceTimersByTimeAsync(2_000);
      expect(source.kept[1]).toMatchObject({ id: "c1", revision: 1, at: 0 });
      expect(source.kept[1]?.exchange.answers[0]).toMatchObject({ text: "half", finish_reason: "cancelled" });
      talked.stop();
      await answered;
      expect(source.kept).toHaveLength(3);
    } finally {
      vi.useRealTimers();
    }
  });

  it("is not kept again when it is deleted in the middle of an answer", async () => {
    source.gate = new Promise(() => {});
    const talked = talk();
    const answered = talked.ask("One?");
    await expect.poll(() => talked.summary?.id).toBe("c1");
    source.refuse = ({ id }) => (id ? new Problem("Gone.", "", { code: "conversation-missing" }) : undefined);
    talked.deleted();
    await answered;
    expect(source.kept).toHaveLength(1);
    expect(reader.problems).toEqual([]);
  });

  it("leaves a failed exchange out of what the model is sent next", async () => {
    const talked = talk();
    source.answer = () => {
      throw new Problem("It ended.", "Ask again.", { code: "serve-failed" });
    };
    await talked.ask("One?");
    expect(talked.exchanges[0]?.answers[0]?.error).toEqual({
      code: "serve-failed",
      message: "It ended.",
      remedy: "Ask again.",
    });
    source.answer = () => ({ text: "Fine.", finish_reason: "stop" });
    await talked.ask("Two?");
    expect(roles(1)).toEqual(["user: Two?"]);
  });
});

describe("a comparison", () => {
  it("001-P15 asks both at once, with the same prompt and the same seed", async () => {
    let open = () => {};
    source.gate = new Promise((resolve) => (open = resolve));
    const asking = talk(COMPARING).ask("One?");
    await Promise.resolve();
    expect(source.asked.map(({ model }) => model)).toEqual(["base:a", "base"]);
    expect(roles(0)).toEqual(roles(1));
    expect(source.asked[0]?.seed).toBe(source.asked[1]?.seed);
    open();
    await asking;
    expect(reader.texts.slice(0, 2)).toEqual(["0.0 half", "0.1 half"]);
  });

  it("keeps to a seed that was chosen", async () => {
    await talk({ ...COMPARING, seed: 7 }).ask("One?");
    expect(source.asked.map(({ seed }) => seed)).toEqual([7, 7]);
  });

  it("001-P15 has an answer or an error on each side, whatever fails", async () => {
    for (const failing of [[], ["base"], ["base:a"], ["base", "base:a"]]) {
      source.answer = ({ model }) => {
        if (failing.includes(model)) throw new Error("down");
        return { text: "Fine.", finish_reason: "stop" };
      };
      const talked = talk(COMPARING);
      await talked.ask("One?");
      for (const { model, text, error, finish_reason } of talked.exchanges[0]?.answers ?? []) {
        if (failing.includes(model)) expect(error?.message).toBe("down");
        else expect(text).toBe("Fine.");
        expect(finish_reason).toBe(failing.includes(model) ? "error" : "stop");
      }
    }
  });

  it("tells each side what that side has said", async () => {
    const talked = talk(COMPARING);
    await talked.ask("One?");
    await talked.ask("Two?");
    expect(roles(2)?.[1]).toBe("assistant: base:a says so");
    expect(roles(3)?.[1]).toBe("assistant: base says so");
  });
});

describe("another window", () => {
  it.each(["conversation-changed", "conversation-missing"] as const)(
    "that has caused %s leaves what is shown here as a conversation of its own",
    async (code) => {
      const talked = talk();
      await talked.ask("One?");
      source.refuse = ({ id }) => (id === "c1" ? new Problem("Gone on.", "", { code }) : undefined);
      await talked.ask("Two?");
      expect(source.kept.slice(2).map(({ id, at, exchange }) => [id, at, exchange.prompt])).toEqual([
        [null, 0, "One?"],
        ["c3", 1, "Two?"],
      ]);
      expect(reader.problems).toEqual(["Gone on. What you see here is kept as a conversation of its own."]);
      source.refuse = undefined;
      await talked.ask("Three?");
      expect(source.kept.at(-1)).toMatchObject({ id: "c3", at: 2 });
    },
  );

  it("is not suspected when the disk is full", async () => {
    source.refuse = () => new Problem("No space.", "Make some.");
    const talked = talk();
    await talked.ask("One?");
    expect(reader.problems).toEqual(["No space. Make some."]);
    expect(talked.exchanges).toHaveLength(1);
  });
});
