/** A counting semaphore that serves those who wait in their order. */
export class Semaphore {
  readonly #count: number;
  readonly #waiting: (() => void)[] = [];
  #taken = 0;

  constructor(count: number) {
    this.#count = count;
  }

  get taken(): number {
    return this.#taken;
  }

  /** Takes a permit, if one is free, and says whether it did. */
  tryAcquire(): boolean {
    if (this.#taken >= this.#count) return false;
    this.#taken++;
    return true;
  }

  /** Takes a permit as soon as one is free. */
  async acquire(): Promise<void> {
    if (!this.tryAcquire()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Gives it to who has waited the longest. */
  release(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#taken--;
  }
}
