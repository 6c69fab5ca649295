import { mkdtemp, readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { openFeatures } from '../../dist/converters/hdf5/features.js';
import { detectorsOfModel } from '../../dist/src/detectors/detectors-model.js';
import { defaultFitOptions } from '../../dist/src/detectors/layer-svm.js';
import { decodeModel } from '../../dist/src/graph/read.js';
import { fitSvms } from '../../dist/src/pipeline/detectors/fit-svms.js';
import { featureLayers } from '../../dist/src/pipeline/features/feature-files.js';

/**
 * `growth-fit.js FEATURES GAMMAS BYTES`: fits a file's layers, prints the seconds and the memory that it took, and the
 * seconds of the first layer's fit alone, without the start of its worker. Runs what `npm run build` made: the TypeScript
 * loader takes more memory than a fit.
 */

const [path, gammas, memory] = process.argv.slice(2);
const file = await openFeatures(path);
const layers = featureLayers(file);
const parts = await mkdtemp(join(dirname(path), 'growth-'));
const settings = {
  ...defaultFitOptions,
  gammas: JSON.parse(gammas),
  compat: 'original',
};
const workers = availableParallelism();
const start = performance.now();
const files = await fitSvms({
  features: path,
  samples: file.count,
  layers,
  settings,
  parts,
  workers,
  memory: Number(memory),
});
const seconds = (performance.now() - start) / 1000;
const [{ alpha, fit }] = detectorsOfModel(decodeModel(await readFile(files[0]), files[0]), files[0]);
const resident = process.resourceUsage().maxRSS * 1024;
const { shifting, grid, refit } = fit.seconds;
console.log(
  JSON.stringify({ seconds, alone: shifting + grid + refit, resident, supportVectors: alpha.length }),
);
