/** One conversation as it is held: asks, gathers what comes, keeps it. It knows no window and no editor. */
import { Problem } from "../problem";
import type {
  ChatMessage,
  ChatResult,
  ChatSettings,
  Conversation,
  ConversationAnswer,
  ConversationExchange,
  ConversationKeepParams,
  ConversationSummary,
  ErrorReport,
} from "../protocol/types";

/** An answer that is complete, or still in the making while `finish_reason` is null. */
export interface ShownAnswer extends Omit<ConversationAnswer, "finish_reason" | "text"> {
  text: string;
  finish_reason: ConversationAnswer["finish_reason"] | null;
}

export interface ShownExchange {
  readonly prompt: string;
  readonly context: string | null;
  readonly answers: readonly ShownAnswer[];
}

export interface Question {
  readonly model: string;
  readonly messages: ChatMessage[];
  readonly settings: ChatSettings;
  /** The same for both sides of a comparison. */
  readonly seed: number;
}

/** Where answers come from, and where they are kept. */
export interface TalkSource {
  ask(question: Question, onText: (text: string) => void, signal: AbortSignal): Promise<ChatResult>;
  keep(params: ConversationKeepParams): Promise<ConversationSummary>;
}

export interface TalkReader {
  /** Anything but the text of an answer has changed. */
  onChange(): void;
  onText(at: number, side: number, text: string): void;
  onProblem(problem: Problem): void;
}

const SEEDS = 2 ** 32;
/** What a window that is reloaded or ends in the middle of an answer loses of it. */
const UNKEPT_MS = 2_000;
/** What tells that a conversation is another one now than the one that is shown. */
const PARTED: ReadonlySet<string> = new Set<ErrorReport["code"]>(["conversation-changed", "conversation-missing"]);

export class Talk {
  private shown: ShownExchange[];
  private running: AbortController | undefined;
  private isDeleted = false;

  constructor(
    private readonly source: TalkSource,
    private readonly reader: TalkReader,
    private chosen: ChatSettings,
    /** Undefined until something was kept. */
    private kept?: ConversationSummary,
    exchanges: readonly ConversationExchange[] = [],
  ) {
    this.shown = exchanges.map(shownOf);
  }

  static reopen(source: TalkSource, reader: TalkReader, conversation: Conversation): Talk {
    return new Talk(source, reader, conversation.settings, conversation.summary, conversation.exchanges);
  }

  get summary(): ConversationSummary | undefined {
    return this.kept;
  }

  get settings(): ChatSettings {
    return this.chosen;
  }

  get exchanges(): readonly ShownExchange[] {
    return this.shown;
  }

  get isAnswering(): boolean {
    return this.running !== undefined;
  }

  /** Takes other settings for the prompts to come. */
  use(settings: ChatSettings): void {
    this.chosen = settings;
    this.reader.onChange();
  }

  renamed(summary: ConversationSummary): void {
    if (this.kept?.id === summary.id) this.kept = { ...this.kept, title: summary.title };
    this.reader.onChange();
  }

  ask(prompt: string, context: string | null = null): Promise<void> {
    return this.exchange(this.shown.length, prompt, context);
  }

  /** Draws another answer to a prompt. What followed it is given up. */
  regenerate(at: number): Promise<void> {
    const { prompt, context } = this.at(at);
    return this.exchange(at, prompt, context);
  }

  /** Puts a prompt differently. What followed it is given up. */
  edit(at: number, prompt: string): Promise<void> {
    return this.exchange(at, prompt, this.at(at).context);
  }

  /** Ends the answers that are being written; what they have is kept. */
  stop(): void {
    this.running?.abort();
  }

  /** Ends what is being written, and keeps none of it: somebody has deleted this conversation. */
  deleted(): void {
    this.isDeleted = true;
    this.stop();
  }

  private at(place: number): ShownExchange {
    const found = this.shown[place];
    if (!found) throw new Problem("There is no such prompt in this conversation.");
    return found;
  }

  private async exchange(at: number, prompt: string, context: string | null): Promise<void> {
    if (this.running) throw new Problem("An answer is still being written.", "Stop it first.");
    const running = new AbortController();
    this.running = running;
    const { model, compare_with: other } = this.chosen;
    const answers = [model, ...(other ? [other] : [])].map(waiting);
    this.shown = [...this.shown.slice(0, at), { prompt, context, answers }];
    this.reader.onChange();
    const settings = this.chosen;
    const seed = settings.seed ?? Math.floor(Math.random() * SEEDS);
    const answered = Promise.all(
      answers.map(async (answer, side) => {
        const question = { model: answer.model, messages: this.messages(at, side), settings, seed };
        await fill(
          answer,
          (onText) => this.source.ask(question, onText, running.signal),
          (text) => this.reader.onText(at, side, text),
        );
        this.reader.onChange();
      }),
    );
    await this.keepUntil(answered, at);
    await this.keep(at);
    this.running = undefined;
    this.reader.onChange();
  }

  /** What one side of the conversation has seen up to a prompt. */
  private messages(at: number, side: number): ChatMessage[] {
    const messages: ChatMessage[] = [];
    if (this.chosen.system) messages.push({ role: "system", content: this.chosen.system });
    for (const [place, exchange] of this.shown.slice(0, at + 1).entries()) {
      const question = { role: "user", content: promptText(exchange) } as const;
      const answer = exchange.answers[side] ?? exchange.answers[0];
      if (place === at) messages.push(question);
      // A failed answer is no turn of the model's, and two prompts in a row are none of the user's.
      else if (answer?.text && answer.finish_reason !== "error")
        messages.push(question, { role: "assistant", content: answer.text });
    }
    return messages;
  }

  /** Keeps the prompt at once, and now and then what is there of its answers. What goes wrong is told at their end. */
  private async keepUntil(answered: Promise<unknown>, at: number): Promise<void> {
    const complete = new AbortController();
    const end = answered.then(() => complete.abort());
    while (!complete.signal.aborted) {
      const isNew = this.kept === undefined;
      await this.keepOne(at).catch(() => {});
      if (isNew && this.kept) this.reader.onChange();
      await Promise.race([end, pause(UNKEPT_MS)]);
    }
  }

  private async keep(at: number): Promise<void> {
    try {
      await this.keepOne(at);
    } catch (error) {
      const problem = Problem.from(error);
      if (PARTED.has(problem.code ?? "")) await this.keepApart(problem);
      else this.reader.onProblem(problem);
    }
  }

  /** Another window went on with this conversation, or deleted it: what is shown here becomes one of its own. */
  private async keepApart(reason: Problem): Promise<void> {
    this.kept = undefined;
    try {
      for (const place of this.shown.keys()) await this.keepOne(place);
      this.reader.onProblem(new Problem(reason.message, "What you see here is kept as a conversation of its own."));
    } catch (error) {
      this.reader.onProblem(Problem.from(error));
    }
  }

  private async keepOne(at: number): Promise<void> {
    if (this.isDeleted) return;
    const exchange = keptOf(this.at(at));
    this.kept = await this.source.keep({
      id: this.kept?.id ?? null,
      revision: this.kept?.revision ?? 0,
      at,
      exchange,
      settings: this.chosen,
    });
  }
}

/** What the model is sent of an exchange: the text that the prompt is about, and the prompt. */
function promptText({ prompt, context }: Pick<ShownExchange, "prompt" | "context">): string {
  return context === null ? prompt : `${context}\n\n${prompt}`;
}

async function fill(
  answer: ShownAnswer,
  ask: (onText: (text: string) => void) => Promise<ChatResult>,
  onText: (text: string) => void,
): Promise<void> {
  try {
    const result = await ask((text) => {
      answer.text += text;
      onText(text);
    });
    answer.text = result.text;
    answer.measures = result.measures ?? null;
    // No tools are offered here, so none can be called.
    answer.finish_reason = result.finish_reason === "tool_calls" ? "stop" : result.finish_reason;
  } catch (error) {
    answer.error = Problem.from(error).report;
    answer.finish_reason = "error";
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function waiting(model: string): ShownAnswer {
  return { model, text: "", finish_reason: null };
}

function shownOf({ prompt, context, answers }: ConversationExchange): ShownExchange {
  return {
    prompt,
    context: context ?? null,
    answers: answers.map((answer) => ({ ...answer, text: answer.text ?? "" })),
  };
}

function keptOf({ prompt, context, answers }: ShownExchange): ConversationExchange {
  const complete = answers.map((answer) => ({ ...answer, finish_reason: answer.finish_reason ?? "cancelled" }));
  return { prompt, context, answers: complete as ConversationExchange["answers"] };
}
