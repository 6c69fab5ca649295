import { monitorImages } from '../../index.ts';
import { command } from '../command.ts';
import { type Span, Spans } from '../monitor-spans.ts';
import { bytesOf, device, given, imageOptions, memory, seed } from '../options.ts';
import { columns, plural, thousands } from '../terminal-text.ts';

export const monitorCommand = command({
  name: 'monitor',
  summary:
    'Watches a stream of images with a guarded model, and tells since when content or conditions drift from what it knows.',
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
    const spans = new Spans();
    const drifts: Drift[] = [];
    for await (const monitored of monitorImages(model, images, settings)) {
      const { set, image } = monitored;
      spans.add(monitored);
      for (const { of, alarm, since, mostly } of monitored.drifts) {
        const going = drifts.findLast((drift) => drift.of === of && drift.until === undefined);
        if (alarm) drifts.push({ of, since: since!, alarm: spans.images, set, image, ...given({ mostly }) });
        else if (going && since === undefined) going.until = spans.images;
      }
    }
    const ood = spans.rows.reduce((sum, row) => sum + row.ood, 0);
    return {
      result: { images: spans.images, ood, drifts, spans: spans.rows },
      text: [
        spansTable(spans.rows),
        '',
        ...drifts.map(inWords),
        ...(drifts.length ? [''] : []),
        `${plural(spans.images, 'image')}, ${thousands(ood)} called OOD (${percent(ood / spans.images)}), ${plural(drifts.length, 'drift')}; of false alarms there is one in ${thousands(every)} images at most, on average.`,
      ].join('\n'),
    };
  },
});

/** A drift that was found. */
interface Drift {
  readonly of: string;
  /** The number of the image with which it most likely began, and of that which raised the alarm. */
  readonly since: number;
  readonly alarm: number;
  /** The image that raised the alarm. */
  readonly set: string;
  readonly image: string;
  readonly mostly?: string;
  /** The number of the image with which it was over; absent where it is not. */
  until?: number;
}

function inWords({ of, since, alarm, set, image, mostly, until }: Drift): string {
  const what = { content: 'Content', conditions: 'Conditions' }[of] ?? 'The score';
  const named = mostly ? `, mostly ${mostly}` : '';
  const found = `found at image ${thousands(alarm)}, ${image} of ${set}`;
  return until === undefined
    ? `${what}: still drifting since image ${thousands(since)}${named} (${found}).`
    : `${what}: drifted from image ${thousands(since)} to ${thousands(until)}${named} (${found}).`;
}

function spansTable(rows: readonly Span[]): string {
  const watched = rows[0]?.watched ?? [];
  const isOne = watched.length === 1;
  return columns(
    [
      ...['up to image', 'called OOD'],
      ...watched.map(({ of }) => (isOne ? 'mean p-value' : `${of}, mean p`)),
      'drifting',
    ],
    rows.map(({ to, images, ood, watched: own }) => [
      thousands(to),
      percent(ood / images),
      ...own.map(({ meanPValue }) => meanPValue.toFixed(3)),
      own
        .filter(({ drifting }) => drifting > 0)
        .map(({ of }) => of)
        .join(', '),
    ]),
  );
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
