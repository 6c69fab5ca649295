/**
 * Writes a demo set's pixels (N × 32 × 32 × 3 bytes) and labels (N bytes) for `train_backbone.py`, which so trains on
 * the very bytes that the demo draws:
 *
 *     npx tsx data/demo/export-images.ts SET COUNT PIXELS LABELS
 */
import { writeAtomically } from '../../src/common/files.ts';
import { demoSet, demoSize } from './demo-set.ts';

const [which, count, pixelsFile, labelsFile] = process.argv.slice(2);
const set = demoSet(which, { count: Number(count) });
await writeAtomically(pixelsFile, await set.read(0, set.length, demoSize));
await writeAtomically(
  labelsFile,
  Uint8Array.from({ length: set.length }, (_, index) => set.label(index) ?? 255),
);
