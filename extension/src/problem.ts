import type { ErrorReport } from "./protocol/types";

/** An expected failure: one plain sentence that says what is wrong, and one that says what to do. */
export class Problem extends Error {
  /** What kind it is, where the daemon said so. */
  readonly code: ErrorReport["code"] | undefined;

  constructor(
    message: string,
    readonly remedy = "",
    options?: ErrorOptions & { code?: ErrorReport["code"] },
  ) {
    super(message, options);
    this.name = "Problem";
    this.code = options?.code;
  }

  static fromReport({ code, message, remedy }: ErrorReport): Problem {
    return new Problem(message, remedy, { code });
  }

  /** Turns whatever was thrown into something that can be shown. */
  static from(error: unknown): Problem {
    if (error instanceof Problem) return error;
    const message = error instanceof Error ? error.message : String(error);
    return new Problem(message, "The log has the details.", { cause: error });
  }

  /** Both sentences, for a notification or a chat. */
  get text(): string {
    return this.remedy ? `${this.message} ${this.remedy}` : this.message;
  }

  get report(): ErrorReport {
    return { code: this.code ?? "internal", message: this.message, remedy: this.remedy };
  }
}
