import type { ErrorReport } from "./protocol/types";

/** An expected failure: one plain sentence that says what is wrong, and one that says what to do. */
export class Problem extends Error {
  constructor(
    message: string,
    readonly remedy = "",
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = "Problem";
  }

  static fromReport(report: ErrorReport): Problem {
    return new Problem(report.message, report.remedy);
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
}
