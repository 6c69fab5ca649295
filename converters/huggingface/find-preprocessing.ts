import { join } from 'node:path';
import type { Geometry } from '../../data/image-set.ts';
import type { Preprocessing } from '../../src/graph/preprocessing.ts';
import { transformersPreprocessing } from './image-processors.ts';
import { configurationFolders, readJson } from './json-file.ts';
import { pretrainedConfig, timmPreprocessing } from './timm-configuration.ts';

/** How images become a network's input, as a file beside the network says it. */
export interface FoundPreprocessing extends Preprocessing {
  /** The file that says it. */
  readonly source: string;
  /** Absent where the file leaves the size of images open. */
  readonly geometry?: Geometry;
}

/**
 * Looks for how images are to be prepared, beside a model: in `preprocessor_config.json` of Hugging Face's
 * transformers, or the `pretrained_cfg` of timm's `config.json`. Models exported by Optimum lie in a folder `onnx`
 * within the one that has these files.
 *
 * @throws DataError where a file is damaged, or asks for what cannot be done here
 */
export async function findPreprocessing(model: string): Promise<FoundPreprocessing | undefined> {
  for (const folder of configurationFolders(model)) {
    const [processor, config] = ['preprocessor_config.json', 'config.json'].map((name) => join(folder, name));
    const ofProcessor = await readJson(processor);
    if (ofProcessor !== undefined) {
      const { model_type: modelType } = ((await readJson(config)) ?? {}) as { model_type?: unknown };
      return { source: processor, ...transformersPreprocessing(ofProcessor, modelType, processor) };
    }
    const pretrained = pretrainedConfig(await readJson(config));
    if (pretrained) return { source: config, ...timmPreprocessing(pretrained, config) };
  }
  return undefined;
}
