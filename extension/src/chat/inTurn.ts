/** Several texts that come at the same time, written one after the other, each as early as it can be. */
export class InTurn {
  private readonly waiting: string[];
  private readonly ended: boolean[];
  /** Whose text is written as it comes. */
  private turn = 0;

  /** @param headings what is written before each text */
  constructor(
    private readonly headings: readonly string[],
    private readonly write: (text: string) => void,
  ) {
    this.waiting = headings.map(() => "");
    this.ended = headings.map(() => false);
    this.write(headings[0] ?? "");
  }

  add(side: number, text: string): void {
    if (side === this.turn) this.write(text);
    else this.waiting[side] = (this.waiting[side] ?? "") + text;
  }

  end(side: number): void {
    this.ended[side] = true;
    while (this.ended[this.turn] && this.turn + 1 < this.headings.length) {
      this.turn += 1;
      this.write(`${this.headings[this.turn] ?? ""}${this.waiting[this.turn] ?? ""}`);
    }
  }
}
