import { mkdtemp, readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { openFeatures } from '../../converters/hdf5/features.ts';
import { detectorsOfModel } from '../../src/detectors/detectors-model.ts';
import { defaultFitOptions } from '../../src/detectors/fit-layer.ts';
import { decodeModel } from '../../src/graph/read.ts';
import { featureLayers } from '../../src/pipeline/feature-files.ts';
import { fitLayers } from '../../src/pipeline/fit-layers.ts';
import { timed } from './bench.ts';

/**
 * `growth-fit.ts FEATURES GAMMAS BYTES`: fits a file's layers, prints the seconds and the memory that it took, and the
 * seconds of the first layer's fit alone, without the start of its worker.
 */

const [path, gammas, memory] = process.argv.slice(2);
const file = await openFeatures(path);
const layers = featureLayers(file);
const parts = await mkdtemp(join(dirname(path), 'growth-'));
const settings = {
  ...defaultFitOptions,
  gammas: JSON.parse(gammas) as number[],
  compat: 'original' as const,
};
const workers = availableParallelism();
const { seconds, result } = await timed(() =>
  fitLayers({
    features: path,
    samples: file.count,
    layers,
    settings,
    parts,
    workers,
    memory: Number(memory),
  }),
);
const [{ alpha, fit }] = detectorsOfModel(decodeModel(await readFile(result[0]), result[0]), result[0]);
const resident = process.resourceUsage().maxRSS * 1024;
const { shifting, grid, refit } = fit!.seconds;
console.log(
  JSON.stringify({ seconds, alone: shifting + grid + refit, resident, supportVectors: alpha.length }),
);
