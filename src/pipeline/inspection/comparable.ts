import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type FeatureFile, openFeatures } from '../../../converters/hdf5/open-features.ts';
import { readCheckpoint } from '../../../converters/pytorch/read-checkpoint.ts';
import { stateDictOf } from '../../../models/backbone.ts';
import { backboneMetadata } from '../../../models/metadata.ts';
import { UsageError } from '../../common/errors.ts';
import { type StateDict, type Tensor, toFloat32 } from '../../common/tensor.ts';
import { holdsDetectors } from '../../detectors/detectors-model.ts';
import type { ModelProto } from '../../graph/onnx.ts';
import { readModel } from '../../graph/read.ts';
import { dtypeOf, tensorFromProto } from '../../graph/tensor-proto.ts';
import { detectorScores } from '../guard/detector-scores.ts';
import { fileKind } from './file-kind.ts';
import { numbersOfCsv, numbersOfJson } from './table-numbers.ts';

/** Named arrays of numbers in a file, read one at a time. */
export interface Comparable {
  readonly kind: 'features' | 'weights' | 'detectors' | 'tables';
  readonly names: readonly string[];
  read(name: string): NumberArray;
  close(): void;
}

/** Row-major numbers of any type. */
export interface NumberArray {
  readonly shape: readonly number[];
  readonly values: ArrayLike<number>;
}

/** Opens two files, so that what has the same name in both is the same thing. */
export async function openComparables(a: string, b: string): Promise<[Comparable, Comparable]> {
  const first = await openFile(a);
  const second = await openFile(b);
  if (isFeatures(first) && isFeatures(second)) {
    const byTap = first.file.taps !== undefined && second.file.taps !== undefined;
    return [features(first.file, byTap), features(second.file, byTap)];
  }
  if (isDetectors(first) && isDetectors(second)) {
    const [scoresA, scoresB] = await detectorScores({ path: a, ...first }, { path: b, ...second });
    return [arrays('detectors', scoresA), arrays('detectors', scoresB)];
  }
  return [alone(first), alone(second)];
}

type OpenFile = { file: FeatureFile } | { detectors: ModelProto } | Comparable;
const isFeatures = (opened: OpenFile): opened is { file: FeatureFile } => 'file' in opened;
const isDetectors = (opened: OpenFile): opened is { detectors: ModelProto } => 'detectors' in opened;

async function openFile(path: string): Promise<OpenFile> {
  const kind = await fileKind(path);
  switch (kind) {
    case 'folder': {
      const table = join(path, 'results', 'summary.csv');
      if (!existsSync(table))
        throw new UsageError(path, 'is a folder, and no run that was evaluated', 'compare files, one by one');
      return openFile(table);
    }
    case 'hdf5':
      return { file: await openFeatures(path) };
    case 'csv':
      return arrays('tables', numbersOfCsv(await readFile(path, 'utf8'), path));
    case 'json':
      return arrays('tables', numbersOfJson(await readFile(path, 'utf8'), path));
    case 'onnx': {
      const model = await readModel(path);
      return holdsDetectors(model) ? { detectors: model } : weights(weightsOf(model, path));
    }
    case 'checkpoint':
      return weights((await readCheckpoint(path, { allowUnusable: true })).stateDict);
  }
}

/** A file whose partner is of another kind: enough to say so. */
function alone(opened: OpenFile): Comparable {
  if (isFeatures(opened)) return features(opened.file, true);
  if (isDetectors(opened)) return arrays('detectors', new Map());
  return opened;
}

/** Layers by tap where both files name theirs, else by number. */
function features(file: FeatureFile, byTap: boolean): Comparable {
  const names = file.widths.map((_, index) => (byTap ? file.taps?.[index] : undefined) ?? String(index));
  return {
    kind: 'features',
    names,
    read(name) {
      const layer = names.indexOf(name);
      return { shape: [file.count, file.widths[layer]], values: file.readLayer(layer) };
    },
    close: () => file.close(),
  };
}

/** A backbone's state dict, or all numbers that another model has as initializers. */
function weightsOf(model: ModelProto, path: string): StateDict {
  if (backboneMetadata(model, path).architecture) return stateDictOf(model, path);
  return new Map(
    model.graph.initializer
      .filter(({ dataType }) => dtypeOf(dataType))
      .map((proto) => [proto.name, tensorFromProto(proto, path)]),
  );
}

function weights(stateDict: StateDict): Comparable {
  return {
    kind: 'weights',
    names: [...stateDict.keys()],
    read(name) {
      const tensor = stateDict.get(name)!;
      return { shape: tensor.shape, values: numbers(tensor) };
    },
    close() {},
  };
}

function numbers(tensor: Tensor): ArrayLike<number> {
  const { dtype, data } = tensor;
  if (dtype === 'int64') return Float64Array.from(data as BigInt64Array, Number);
  return dtype === 'float16' || dtype === 'bfloat16' ? toFloat32(tensor) : (data as Float64Array);
}

function arrays(kind: Comparable['kind'], named: ReadonlyMap<string, ArrayLike<number>>): Comparable {
  return {
    kind,
    names: [...named.keys()],
    read(name) {
      const values = named.get(name)!;
      return { shape: [values.length], values };
    },
    close() {},
  };
}
