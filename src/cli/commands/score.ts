import { type ScoredImage, scoreImages, UsageError, writeScores } from '../../index.ts';
import { command } from '../command.ts';
import { bytesOf, device, given, imageOptions, memory } from '../options.ts';
import { columns, plural, thousands } from '../terminal-text.ts';

/** More images than this are written to a file, not printed. */
const PRINTED = 1000;

export const scoreCommand = command({
  name: 'score',
  summary:
    'Runs a guarded model on images: class, score, p-value, decision, and which question an image failed.',
  examples: [
    ['score runs/mine/guarded.onnx photo.jpg', 'one image'],
    ['score guarded.onnx camera1/ camera2/ --output scores.csv', 'two folders, into a table'],
    ['score guarded.onnx archive.zip --output scores.jsonl', 'an archive, into JSON lines'],
  ],
  positionals: {
    model: { describe: 'the guarded.onnx that la-ood guard wrote' },
    images: {
      describe:
        "images, folders, patterns ('camera/*.jpg'), archives, lists: any set; - for paths on standard input",
      array: true,
    },
  },
  options: {
    output: {
      type: 'string',
      describe: 'write a row for each image into this .csv or .jsonl file',
      check: (file: string) => (/\.(csv|jsonl)$/.test(file) ? undefined : 'must end in .csv or .jsonl'),
    },
    threshold: { type: 'number', describe: "scores above it are OOD; the model's own by default" },
    logits: {
      type: 'boolean',
      describe:
        "each class's logit and probability too, in a file or as JSON; a table has the probability of the label",
    },
    memory,
    ...imageOptions,
    device,
  },
  async run({ model, images, output, ...options }, onProgress, onLeftOut) {
    const { threshold, logits, batch, exifOrientation: orient, skipDamaged, device } = options;
    const settings = {
      ...given({ threshold, logits, batch, orient, skipDamaged }),
      ...{ device, memory: bytesOf(options.memory), onProgress, onLeftOut },
    };
    const scored = scoreImages(model, images, settings);
    if (output !== undefined) {
      const counts = await writeScores(output, scored);
      return { result: { output, ...counts }, text: `${summary(counts)}\nWrote ${output}.` };
    }
    const rows: ScoredImage[] = [];
    for await (const row of scored)
      if (rows.push(row) > PRINTED)
        throw new UsageError(
          '--output',
          `is needed for more than ${thousands(PRINTED)} images`,
          'name a .csv or .jsonl file',
        );
    const counts = { images: rows.length, ood: rows.filter(({ isOod }) => isOod).length };
    return { result: { ...counts, rows }, text: `${table(rows)}\n\n${summary(counts)}` };
  },
});

function table(rows: readonly ScoredImage[]): string {
  const byLayers = rows.some(({ layer }) => layer !== undefined);
  const hasProbability = rows.some(({ probabilities }) => probabilities);
  return columns(
    [
      ...['image', 'label', ...(hasProbability ? ['probability'] : [])],
      ...['ood_score', 'p-value', 'decision', byLayers ? 'layer' : 'why'],
    ],
    rows.map(({ image, label, className, probabilities, score, pValue, isOod, layer, reason }) => [
      image,
      className ?? (label < 0 ? '–' : label),
      ...(hasProbability ? [probabilities?.[label]?.toFixed(4) ?? '–'] : []),
      score.toFixed(3),
      pValue.toFixed(4),
      isOod ? 'OOD' : 'InD',
      layer ?? reason ?? '',
    ]),
  );
}

function summary({ images, ood }: { images: number; ood: number }): string {
  return `${plural(images, 'image')}, ${thousands(ood)} called OOD.`;
}
