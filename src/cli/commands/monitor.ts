import { type MonitoredImage, monitorImages } from '../../index.ts';
import { command } from '../command.ts';
import { bytesOf, device, given, imageOptions, memory, seed } from '../options.ts';
import { columns, plural, thousands } from '../text.ts';

export const monitorCommand = command({
  name: 'monitor',
  summary:
    'Watches a stream of images with a guarded model, and tells when it drifts from what the model knows.',
  examples: [
    ['monitor guarded.onnx camera/', 'the images of a folder, in the order of their names'],
    ['monitor guarded.onnx monday/ tuesday/ --every 1000000', 'a false alarm in a million images'],
  ],
  positionals: {
    model: { describe: 'the guarded.onnx that la-ood guard wrote' },
    images: { describe: 'images, folders, archives, lists, one after the other', array: true },
  },
  options: {
    every: {
      type: 'number',
      default: 10_000,
      describe: 'images between false alarms, on average and at least',
      check: (value: number) => (value > 1 ? undefined : 'must be above 1'),
    },
    seed: { type: 'number', default: 0, describe: 'seed of the order of equal scores', check: seed },
    memory,
    ...imageOptions,
    device,
  },
  async run({ model, images, every, seed, ...options }, onProgress, onLeftOut) {
    const { batch, exifOrientation: orient, skipDamaged, device } = options;
    const settings = {
      ...given({ batch, orient, skipDamaged }),
      ...{ every, seed, device, memory: bytesOf(options.memory), onProgress, onLeftOut },
    };
    const alarms: (MonitoredImage & { at: number })[] = [];
    const spans = new Spans();
    for await (const image of monitorImages(model, images, settings)) {
      spans.add(image);
      if (image.alarm) alarms.push({ ...image, at: spans.images });
    }
    const told = alarms.map(({ at, set, image, drifting }) => [thousands(at), set, image, drifting!]);
    return {
      result: { images: spans.images, alarms, spans: spans.rows },
      text: [
        columns(
          ['up to image', 'mean p-value', 'p ≤ .05', 'most evidence'],
          spans.rows.map(({ to, meanPValue, unlikely, evidence }) => [
            thousands(to),
            meanPValue.toFixed(3),
            `${(100 * unlikely).toFixed(1)} %`,
            evidence.toPrecision(2),
          ]),
        ),
        '',
        ...(told.length ? [columns(['alarm after', 'set', 'image', 'layer'], told), ''] : []),
        `${plural(spans.images, 'image')}, ${plural(alarms.length, 'alarm')}; of false ones there is one in ${thousands(every)} images at most, on average.`,
      ].join('\n'),
    };
  },
});

interface Span {
  /** The number of its last image. */
  to: number;
  images: number;
  meanPValue: number;
  /** Share of p-values up to .05. */
  unlikely: number;
  /** The most that spoke for a drift. */
  evidence: number;
}

/** A stream of whatever length in at most twenty rows of as many images each. */
class Spans {
  rows: Span[] = [];
  images = 0;
  #size = 10;

  add({ pValue, evidence }: MonitoredImage): void {
    this.images++;
    const one = {
      to: this.images,
      images: 1,
      meanPValue: pValue,
      unlikely: pValue <= 0.05 ? 1 : 0,
      evidence,
    };
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
  const mean = (x: number, y: number) => (x * a.images + y * b.images) / images;
  return {
    to: b.to,
    images,
    meanPValue: mean(a.meanPValue, b.meanPValue),
    unlikely: mean(a.unlikely, b.unlikely),
    evidence: Math.max(a.evidence, b.evidence),
  };
}
