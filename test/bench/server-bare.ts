import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import sharp from 'sharp';
import { readModel } from '../../src/graph/read.ts';
import { pruneUnused } from '../../src/graph/rewrite.ts';
import { encodeModel } from '../../src/graph/write.ts';
import { guardInfo } from '../../src/guard/guard-info.ts';

/** The example's server with the classifier of a guarded model alone: sharp decodes and resizes, onnxruntime classifies. */

const [path, example] = process.argv.slice(2);
const model = await readModel(path);
const { classNames, logits, size } = guardInfo(model, path);
const output = model.graph.output.filter(({ name }) => name === logits);
const classifier = pruneUnused({ ...model, graph: { ...model.graph, output } });
const session = await InferenceSession.create(encodeModel(classifier));
const { height, width } = size;

let pending = 0;
const guard = {
  get pending() {
    return pending;
  },
  async score(body: Buffer) {
    pending++;
    try {
      const resized = sharp(body).resize(width, height, { fit: 'fill', kernel: 'lanczos3' });
      const pixels = await resized.removeAlpha().toColourspace('srgb').raw().toBuffer();
      const input = new Tensor('uint8', pixels, [1, height, width, 3]);
      const values = (await session.run({ pixels: input }))[logits].data as Float32Array;
      const index = values.indexOf(Math.max(...values));
      return { label: classNames?.[index] ?? String(index), logits: values };
    } finally {
      pending--;
    }
  },
  close: () => session.release(),
};
const { createApp } = await import(pathToFileURL(join(example, 'app.js')).href);
const app = createApp(guard, { logger: true });
process.once('SIGTERM', () => app.close());
await app.listen({ port: 0, host: '127.0.0.1' });
