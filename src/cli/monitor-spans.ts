import type { MonitoredImage } from '../index.ts';

/** Some successive images of a stream. */
export interface Span {
  /** The number of its last image. */
  readonly to: number;
  readonly images: number;
  /** Images that are called OOD. */
  readonly ood: number;
  /** Of each thing that is watched. */
  readonly watched: readonly WatchedSpan[];
}

interface WatchedSpan {
  readonly of: string;
  readonly meanPValue: number;
  /** Images while it drifted. */
  readonly drifting: number;
}

/** A stream of whatever length in at most twenty rows of as many images each. */
export class Spans {
  rows: Span[] = [];
  images = 0;
  #size = 10;

  add({ isOod, drifts }: MonitoredImage): void {
    this.images++;
    const watched = drifts.map(({ of, pValue, since }) => ({
      ...{ of, meanPValue: pValue, drifting: since === undefined ? 0 : 1 },
    }));
    const one = { to: this.images, images: 1, ood: isOod ? 1 : 0, watched };
    const last = this.rows.at(-1);
    if (last && last.images < this.#size) {
      this.rows[this.rows.length - 1] = joined(last, one);
      return;
    }
    if (this.rows.length === 20) {
      this.rows = this.rows.flatMap((row, r) => (r % 2 ? [joined(this.rows[r - 1], row)] : []));
      this.#size *= 2;
    }
    this.rows.push(one);
  }
}

function joined(a: Span, b: Span): Span {
  const images = a.images + b.images;
  return {
    to: b.to,
    images,
    ood: a.ood + b.ood,
    watched: a.watched.map((own, w) => ({
      of: own.of,
      meanPValue: (own.meanPValue * a.images + b.watched[w].meanPValue * b.images) / images,
      drifting: own.drifting + b.watched[w].drifting,
    })),
  };
}
