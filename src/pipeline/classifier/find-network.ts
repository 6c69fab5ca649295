import { findConfiguration } from '../../../converters/huggingface/configuration.ts';
import type { Checkpoint } from '../../../converters/pytorch/read-checkpoint.ts';
import {
  type Candidate,
  type ChooseOptions,
  chooseNetwork,
  UnknownNetwork,
} from '../../../models/families/choose.ts';
import type { Evidence } from '../../../models/families/evidence.ts';
import { firstComponents, partOf, type Renaming, renamings } from '../../../models/families/keys.ts';
import { recordOf, type StateDictRecord } from '../../../models/record.ts';
import { isCounter, type Shapes } from '../../../models/weights.ts';
import { advice, CheckpointError, either, option } from '../../common/errors.ts';
import { printable } from '../../common/printable.ts';
import { type StateDict, type Tensor, toFloat32 } from '../../common/tensor.ts';
import type { Normalization } from '../../graph/preprocessing.ts';

/** The network that a checkpoint holds. */
export interface FoundNetwork extends Candidate {
  /** Its weights, by the network's own keys. */
  readonly weights: StateDict;
  /** How they lay in the file. */
  readonly record: StateDictRecord;
  /** What the file says that images are normalised with. */
  readonly normalization?: Normalization;
  readonly notes: readonly string[];
}

/**
 * Finds the network in a checkpoint: sets aside what is no weight, takes off what wraps its keys, and asks which family
 * they are of.
 *
 * @throws what `chooseNetwork` throws
 */
export async function findNetwork(
  path: string,
  checkpoint: Checkpoint,
  options: Pick<ChooseOptions, 'arch' | 'size'> = {},
): Promise<FoundNetwork> {
  const { stateDict, prefix = '', format, wrapper, sets, modules } = checkpoint;
  const notes: string[] = [];
  const { weights, leftOut } = withoutCounters(stateDict);
  if (leftOut.length > 0) notes.push(`left out, as no weights: ${listed(leftOut)}`);
  const pair = normalizationIn(weights);
  for (const key of pair?.keys ?? []) weights.delete(key);
  if (pair) notes.push(`${pair.keys.join(' and ')} are taken as the mean and deviation of images`);
  const configuration = await findConfiguration(path);
  const evidence: Evidence = {
    ...{
      format,
      wrapper,
      sets,
      prefix: prefix || undefined,
      normalization: pair?.keys,
      configuration,
      modules,
    },
  };
  const found = choose(weights, { where: path, evidence, ...options }, notes);
  if (found.unused.length > 0)
    notes.push(
      `${found.unused.length} tensors that its authors' code does not compute with: ${listed(found.unused)}`,
    );
  const byFile = new Map<string, Tensor>(
    [...stateDict].filter(([key]) => found.keys.has(key) || pair?.keys.includes(key)),
  );
  const record: StateDictRecord = {
    ...(prefix && { prefix }),
    tensors: Array.from(byFile, ([key, tensor]) => recordOf(key, placeOf(key, found, weights), tensor)),
  };
  const own: StateDict = new Map();
  for (const [file, key] of found.keys) if (hasPlace(found, key)) own.set(key, weights.get(file)!);
  const { network: _, keys: __, ...candidate } = found;
  return {
    ...candidate,
    network: found.network,
    weights: own,
    record,
    normalization: pair?.normalization,
    notes,
  };
}

interface Choice extends Candidate {
  readonly keys: Renaming;
}

/** The network's key of a file's, or that of the tensor that it is tied to; undefined where the network has none. */
function placeOf(file: string, choice: Choice, weights: StateDict): string | undefined {
  const { keys, network } = choice;
  const key = keys.get(file);
  if (key !== undefined && hasPlace(choice, key)) return key;
  const data = weights.get(file)?.data;
  const twin =
    data &&
    [...keys].find(([other, name]) => network.parameters.has(name) && weights.get(other)?.data === data);
  return twin?.[1];
}

const hasPlace = ({ network, unused }: Choice, key: string) =>
  network.parameters.has(key) || unused.includes(key);

/** Reads the keys in every way there is, the plainest first, until a family has them. */
function choose(weights: StateDict, options: ChooseOptions, notes: string[]): Choice {
  const { where } = options;
  const shapes: Shapes = new Map(Array.from(weights, ([key, { shape }]) => [key, shape]));
  const within = attempt(shapes, weights, options);
  if (!(within instanceof UnknownNetwork)) return within;
  const parts = [...firstComponents(new Map([...shapes.keys()].map((key) => [key, key]))).keys()];
  const fitting = parts.flatMap((name) => {
    const part = partOf(shapes, name);
    const own: StateDict = new Map([...part.keys()].map((key) => [key, weights.get(`${name}.${key}`)!]));
    if (part.size < 4) return [];
    const found = attempt(part, own, options);
    return found instanceof UnknownNetwork ? [] : [{ name, found }];
  });
  const plain = fitting.filter(({ name }) => !isAverage(name));
  const others = parts.filter((name) => !fitting.some((part) => part.name === name));
  if (fitting.length === 0) throw within;
  if (others.length > 0 || plain.length > 1 || fitting.length - plain.length > 1 || plain.length === 0)
    throw new CheckpointError(
      where,
      `holds ${fitting.map(({ name }) => `a network under ${printable(name)}`).join(', ')}${others.length > 0 ? `, and other weights under ${listed(others)}` : ''}`,
      advice`say which network is wanted: ${either(fitting.map(({ name }) => option('wrapper', printable(name))))}`,
    );
  const [{ name, found }] = plain;
  const averages = fitting.filter((part) => part.name !== name).map((part) => part.name);
  notes.push(`weights also found under ${averages.join(', ')}: ${name} was taken`);
  return { ...found, keys: new Map([...found.keys].map(([key, own]) => [`${name}.${key}`, own])) };
}

const isAverage = (name: string) => /(^|_)(ema|avg|averaged?|momentum|teacher|swa)(_|$)/i.test(name);

function attempt(shapes: Shapes, weights: StateDict, options: ChooseOptions): Choice | UnknownNetwork {
  let nearest: UnknownNetwork | undefined;
  for (const keys of renamings(shapes)) {
    if (new Set(keys.values()).size !== keys.size) continue;
    const renamed: Shapes = new Map([...keys].map(([file, key]) => [key, shapes.get(file)!]));
    const ties = tiesOf(weights, keys);
    try {
      const evidence = { ...options.evidence, prefix: options.evidence?.prefix ?? prefixOf(keys) };
      return { ...chooseNetwork(renamed, { ...options, evidence, ties }), keys };
    } catch (error) {
      if (!(error instanceof UnknownNetwork)) throw error;
      if (!nearest || error.misfits < nearest.misfits) nearest = error;
    }
  }
  return nearest ?? new UnknownNetwork(options.where, 'holds no weights', 0);
}

/** What was taken off the keys, where it is the same for all. */
function prefixOf(keys: Renaming): string | undefined {
  const prefixes = new Set(
    [...keys].map(([file, key]) => (file.endsWith(key) ? file.slice(0, file.length - key.length) : '')),
  );
  const [only] = prefixes;
  return prefixes.size === 1 && only ? only : undefined;
}

/** Keys whose tensors are one in memory, each with the first of them. */
function tiesOf(weights: StateDict, keys: Renaming): Map<string, string> {
  const firsts = new Map<Tensor['data'], string>();
  const ties = new Map<string, string>();
  for (const [file, key] of keys) {
    const { data } = weights.get(file)!;
    const first = firsts.get(data);
    if (first === undefined) firsts.set(data, key);
    else ties.set(key, first).set(first, first);
  }
  return ties;
}

const profilers = /(^|\.)(total_ops|total_params|n_averaged|num_updates|num_samples|__flops__|__params__)$/;

/** Sets aside what profilers, averages and metrics count: integers that no network computes with. */
function withoutCounters(stateDict: StateDict): { weights: StateDict; leftOut: string[] } {
  const weights: StateDict = new Map();
  const leftOut: string[] = [];
  for (const [key, tensor] of stateDict) {
    const isInteger = !/float/.test(tensor.dtype) && tensor.shape.length === 0;
    if (profilers.test(key) || (isInteger && !isCounter(key))) leftOut.push(printable(key));
    else weights.set(key, tensor);
  }
  return { weights, leftOut };
}

const pairs = [
  ['mean', 'std'],
  ['mu', 'sigma'],
  ['_mean', '_std'],
  ['pixel_mean', 'pixel_std'],
  ['image_mean', 'image_std'],
];

/** The buffers that networks normalise images with themselves. */
function normalizationIn(weights: StateDict): { keys: string[]; normalization: Normalization } | undefined {
  for (const key of weights.keys())
    for (const [mean, std] of pairs) {
      const [, path, name] = /^(.*\.)?([^.]+)$/.exec(key)!;
      const keys = [key, `${path ?? ''}${std}`];
      const tensors = keys.map((key) => weights.get(key));
      if (name !== mean || !tensors.every((tensor) => tensor?.data.length === 3)) continue;
      const [means, deviations] = tensors.map((tensor) => [...toFloat32(tensor!)]);
      // Of bytes, where they are larger than any of pixels from 0 to 1.
      const unit = [...means, ...deviations].some((value) => value > 2) ? 255 : 1;
      const inUnits = (values: readonly number[]) => values.map((value) => value / unit);
      if (deviations.every((value) => value > 0))
        return { keys, normalization: { mean: inUnits(means), std: inUnits(deviations) } };
    }
  return undefined;
}

/** The first three, and how many more there are. */
function listed(names: readonly string[]): string {
  const more = names.length > 3 ? ` and ${names.length - 3} more` : '';
  return names.slice(0, 3).join(', ') + more;
}
