/** A number of places, and a row of those who wait for one. */
export class Places {
  readonly #count: number;
  readonly #waiting: (() => void)[] = [];
  #taken = 0;

  constructor(count: number) {
    this.#count = count;
  }

  get taken(): number {
    return this.#taken;
  }

  /** Whether there was one. */
  take(): boolean {
    if (this.#taken >= this.#count) return false;
    this.#taken++;
    return true;
  }

  /** Takes one as soon as there is one. */
  async wait(): Promise<void> {
    if (!this.take()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Gives it to who has waited the longest. */
  leave(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#taken--;
  }
}
