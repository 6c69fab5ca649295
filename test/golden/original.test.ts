import { mkdtempSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { decodeImage } from '../../data/decode.ts';
import { backboneMetadata } from '../../models/metadata.ts';
import { readModel } from '../../src/graph/read.ts';
import { importCheckpoint } from '../../src/pipeline/classifier/import-checkpoint.ts';
import { featureGraph } from '../../src/pipeline/features/feature-graph.ts';
import { GraphSession } from '../../src/runtime/graph-session.ts';
import { reference, unpackedReference } from '../reference.ts';

/** What the original's PyTorch code computed for eight images. */
interface Golden {
  readonly checkpoint: string;
  readonly images: readonly string[];
  readonly mean: number[];
  readonly std: number[];
  readonly logits: readonly (readonly number[])[];
  /** For each layer, for each image, the pooled value. */
  readonly layers: readonly (readonly (readonly number[])[])[];
}

describe("the original's numbers", () => {
  const folder = mkdtempSync(join(tmpdir(), 'la-ood-golden-'));
  after(() => rm(folder, { recursive: true }));

  for (const name of ['densenet100-cifar10', 'vgg16-cifar10', 'resnet34-cifar10-synthetic']) {
    it(`${name}: every layer within 1e-4 of its largest value, in the same order`, async function () {
      const golden: Golden = JSON.parse(readFileSync(reference(this, 'golden', `${name}.json`), 'utf8'));
      const images = unpackedReference(this, 'data', 'cifar10-jpeg.tar.xz');
      const target = join(folder, `${name}.onnx`);
      const { mean, std } = golden;
      const { architecture } = await importCheckpoint(
        reference(this, 'checkpoints', golden.checkpoint),
        target,
        {
          normalization: { mean, std },
        },
      );

      // The original's own network, by its plain name: other families have these keys too.
      expect(architecture).equals(name.split('-')[0]);

      const backbone = await readModel(target);
      const { taps: layers } = backboneMetadata(backbone, target);
      const { model, taps, widths, logits } = featureGraph(backbone, target);
      // Behind the original's layers come what goes into the head and what tells of conditions.
      expect(taps.slice(0, golden.layers.length)).deep.equals(layers);
      expect(widths.slice(0, golden.layers.length)).deep.equals(golden.layers.map(([first]) => first.length));
      const pixels = await Promise.all(
        golden.images.map((image) => decodeImage(readFileSync(join(images, image)), image)),
      );
      const data = Uint8Array.from(pixels.flatMap((image) => [...image.pixels]));
      const session = await GraphSession.open(model, { device: 'cpu' });
      const outputs = await session.run({ pixels: { dtype: 'uint8', shape: [8, 32, 32, 3], data } });
      await session.close();

      [...golden.layers, golden.logits].forEach((layer, l) => {
        const ours = outputs[layers?.[l] ?? logits].data as Float32Array;
        const theirs = layer.flat();
        const largest = Math.max(...theirs.map(Math.abs));
        const difference = Math.max(...theirs.map((value, i) => Math.abs(value - ours[i])));
        expect(difference / largest, layers?.[l]).lessThan(1e-4);
      });
    });
  }
});
