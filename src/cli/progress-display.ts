import { SingleBar } from 'cli-progress';
import type { Progress } from '../index.ts';
import { duration } from './terminal-text.ts';

/** Shows how far long work is. */
export interface ProgressDisplay {
  show(progress: Progress): void;
  /** Leaves the terminal as it was. May be called at any moment, and again. */
  stop(): void;
}

/** Seconds between lines where there is no terminal to draw a bar on. */
const INTERVAL = 5;

/** A bar on a terminal; elsewhere plain lines: at once, every few seconds, and at the end of each task. */
export function progressDisplay(
  stream: NodeJS.WritableStream & { readonly isTTY?: boolean },
): ProgressDisplay {
  return stream.isTTY ? new Bar(stream) : new Lines(stream);
}

/** One bar for each task, below one another. */
class Bar implements ProgressDisplay {
  readonly #stream: NodeJS.WritableStream;
  #task: string | undefined;
  #bar: SingleBar | undefined;
  #rate: Rate | undefined;

  constructor(stream: NodeJS.WritableStream) {
    this.#stream = stream;
  }

  show(progress: Progress): void {
    const { task, done, total, unit, note = '' } = progress;
    if (task !== this.#task) this.#begin(progress);
    this.#bar?.update(done, { task, unit, note, ...this.#rate?.at(done, total) });
    if (done >= total) this.stop();
  }

  stop(): void {
    this.#bar?.stop();
    this.#bar = undefined;
  }

  #begin({ task, done, total, unit, note = '' }: Progress): void {
    this.stop();
    this.#task = task;
    this.#rate = new Rate(done);
    this.#bar = new SingleBar({
      format: '{task} [{bar}] {percentage}% {value}/{total} {unit}{speed}{left} {note}',
      barCompleteChar: '=',
      barIncompleteChar: ' ',
      barsize: 24,
      stream: this.#stream,
      hideCursor: true,
      fps: 5,
      // Signals are handled in one place, which stops this bar too.
      gracefulExit: false,
    });
    this.#bar.start(total, done, { task, unit, note, speed: '', left: '' });
  }
}

class Lines implements ProgressDisplay {
  readonly #stream: NodeJS.WritableStream;
  #task: string | undefined;
  #rate = new Rate(0);
  #last = 0;
  /** Writes what was told last, if nothing more is told. */
  #late: NodeJS.Timeout | undefined;

  constructor(stream: NodeJS.WritableStream) {
    this.#stream = stream;
  }

  show(progress: Progress): void {
    const { task, done, total } = progress;
    const begins = task !== this.#task;
    if (begins) {
      this.#task = task;
      this.#rate = new Rate(done);
    }
    clearTimeout(this.#late);
    const rest = this.#last + 1000 * INTERVAL - performance.now();
    if (begins || done >= total || rest <= 0) this.#write(progress);
    else this.#late = setTimeout(() => this.#write(progress), rest).unref();
  }

  stop(): void {
    clearTimeout(this.#late);
  }

  #write({ task, done, total, unit, note }: Progress): void {
    this.#last = performance.now();
    const { speed, left } = this.#rate.at(done, total);
    this.#stream.write(`${task}: ${done} of ${total} ${unit}${speed}${left}${note ? ` ${note}` : ''}\n`);
  }
}

/** How fast a task goes; what was done before it began does not count. */
class Rate {
  readonly #first: number;
  readonly #start = performance.now();

  constructor(first: number) {
    this.#first = first;
  }

  at(done: number, total: number): { speed: string; left: string } {
    const seconds = (performance.now() - this.#start) / 1000;
    const rate = (done - this.#first) / seconds;
    if (done === this.#first || !Number.isFinite(rate)) return { speed: '', left: '' };
    const speed = rate >= 1 ? `${rate.toFixed(rate < 10 ? 1 : 0)}/s` : `${(1 / rate).toFixed(1)} s each`;
    return { speed: `, ${speed}`, left: done < total ? `, ETA ${duration((total - done) / rate)}` : '' };
  }
}
