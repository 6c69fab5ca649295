import { advice, CheckpointError, either, option, UsageError } from '../../src/common/errors.ts';
import { printable } from '../../src/common/printable.ts';
import { Network } from '../network.ts';
import { countMisfits, describeMisfits, type Shapes } from '../weights.ts';
import { exportItself } from './advice.ts';
import { contradiction } from './contradictions.ts';
import type { Evidence } from './evidence.ts';
import type { PublishedFamily, Reading } from './family.ts';
import { families } from './family-table.ts';
import type { FamilyInput, InputSize } from './inputs.ts';
import { signature } from './signature.ts';

/** A network that weights fit, key by key and shape by shape. */
export interface Candidate {
  /** `torchvision/resnet50`; the original's networks have no family's name. */
  readonly id: string;
  readonly family: PublishedFamily;
  readonly reading: Reading;
  readonly network: Network;
  /** The images that it is published for, where that is known. */
  readonly input?: FamilyInput;
  /** Weights that it holds and its authors' code does not compute with. */
  readonly unused: readonly string[];
}

export interface ChooseOptions {
  /** How errors name the weights: the checkpoint's path. */
  readonly where: string;
  readonly evidence?: Evidence;
  /** `family/name`, or a name alone. */
  readonly arch?: string;
  /** Of the images, where it is not the family's. */
  readonly size?: InputSize;
  /** Of keys that share their tensor with others, one key that stands for all of them. */
  readonly ties?: ReadonlyMap<string, string>;
}

/** No family has these keys and shapes. */
export class UnknownNetwork extends CheckpointError {
  constructor(
    where: string,
    problem: string,
    /** How many keys keep the nearest one from fitting. */
    readonly misfits: number,
  ) {
    super(where, problem, exportItself);
  }
}

/**
 * Which network weights are for, and what that computes.
 *
 * Where several families have these keys and shapes, those that compute the same are one choice. Between others the
 * evidence decides, or `arch`.
 *
 * @throws CheckpointError where none fits, or several and nothing tells them apart; UsageError where `arch` is none of
 *   those that fit
 */
export function chooseNetwork(shapes: Shapes, options: ChooseOptions): Candidate {
  const { where, evidence = {}, arch } = options;
  const { options: unfollowed = [] } = evidence.configuration ?? {};
  if (unfollowed.length > 0)
    throw new CheckpointError(
      where,
      `the config.json beside it has ${printable(unfollowed.join(', '))}, which no family is built with`,
      exportItself,
    );
  const examined = examine(shapes, options);
  if (arch !== undefined) return named(shapes, examined, options);
  const { fitting, others, refusals } = examined;
  const published = fitting.filter(({ family }) => family.isPublishedAs?.(evidence) ?? true);
  if (published.length === 0 && fitting.length > 0) throw unpublished(fitting, evidence, where);
  if (published.length === 0) throw refused(refusals, where) ?? noFit(shapes, others, where);
  const groups = grouped(published, ({ network }) => signature(network));
  if (groups.length === 1) return preferred(groups[0], evidence);
  const claimed = groups.filter((group) => group.some((candidate) => claims(candidate, evidence)));
  if (claimed.length === 1) return preferred(claimed[0], evidence);
  throw ambiguous(
    groups.map((group) => preferred(group, evidence)),
    where,
  );
}

function grouped<T>(items: readonly T[], keyOf: (item: T) => string): T[][] {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return [...groups.values()];
}

interface Misfit {
  readonly id: string;
  readonly parameters: Shapes;
  readonly misfits: number;
}

function examine(
  shapes: Shapes,
  { evidence = {}, size, ties = new Map(), where }: ChooseOptions,
): { fitting: Candidate[]; others: Misfit[]; refusals: Error[] } {
  const fitting: Candidate[] = [];
  const others: Misfit[] = [];
  const refusals: Error[] = [];
  for (const family of families) {
    let reading: Reading | undefined;
    try {
      reading = family.read(shapes, evidence);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      refusals.push(error);
    }
    if (!reading) continue;
    const input = family.input(reading, evidence);
    const id = family.name === '' ? reading.architecture : `${family.name}/${reading.architecture}`;
    const { height, width } = size ?? input?.geometry ?? { height: 32, width: 32 };
    // The original's networks take images of no other size.
    if (family.name === '' && (height !== 32 || width !== 32)) continue;
    const epsilon = (path: string) => {
      const eps = evidence.modules?.get(path)?.attributes.get('eps');
      return typeof eps === 'number' ? eps : undefined;
    };
    const network = new Network(reading.architecture, { activation: reading.activation, epsilon });
    try {
      reading.build(network, network.image(3, height, width));
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      refusals.push(error);
      continue;
    }
    const unused = [...shapes.keys()].filter((key) => family.unused?.test(key));
    const needed = new Map([...shapes].filter(([key]) => !unused.includes(key)));
    const misfits = countMisfits(network.parameters, withoutTies(needed, network.parameters, ties));
    if (misfits > 0) {
      others.push({ id, parameters: network.parameters, misfits });
      continue;
    }
    const problem = evidence.modules && contradiction(network, evidence.modules, reading.activation);
    if (problem) {
      refusals.push(new CheckpointError(where, `has the keys of ${id}, and its ${problem}`, exportItself));
      continue;
    }
    fitting.push({ id, family, reading, network, input, unused });
  }
  return { fitting, others, refusals };
}

/** Without the keys that a network has no place for, and whose tensor it has under another. */
function withoutTies(shapes: Shapes, expected: Shapes, ties: ReadonlyMap<string, string>): Shapes {
  const used = new Set([...expected.keys()].map((key) => ties.get(key)));
  const isNeeded = (key: string) => expected.has(key) || !ties.has(key) || !used.has(ties.get(key));
  return new Map([...shapes].filter(([key]) => isNeeded(key)));
}

const claims = ({ family, reading }: Candidate, evidence: Evidence) =>
  family.comesAs?.(evidence, reading) ?? false;

/** Of candidates that compute the same: the one whose name and images are taken. */
function preferred(group: readonly Candidate[], evidence: Evidence): Candidate {
  return group.find((candidate) => claims(candidate, evidence)) ?? group[0];
}

function named(
  shapes: Shapes,
  { fitting, others, refusals }: ReturnType<typeof examine>,
  { arch, where, evidence = {} }: ChooseOptions,
): Candidate {
  const called = fitting.filter(({ id }) => isCalled(id, arch!));
  if (called.length > 0) {
    const groups = grouped(called, ({ network }) => signature(network));
    if (groups.length === 1) return preferred(groups[0], evidence);
    throw ambiguous(
      groups.map((group) => preferred(group, evidence)),
      where,
    );
  }
  const fits = [...new Set(fitting.map(({ id }) => id))];
  if (fits.length > 0)
    throw new UsageError(
      option('arch', arch),
      `is not what ${where} holds`,
      `what fits is ${fits.join(' or ')}`,
    );
  const refusal = refused(refusals, where);
  if (refusal) throw refusal;
  const misfit = others.find(({ id }) => isCalled(id, arch!));
  throw noFit(shapes, misfit ? [misfit] : others, where);
}

/** Names are compared without regard to case and punctuation; that of the family may be left out. */
function isCalled(id: string, arch: string): boolean {
  const plain = (text: string) =>
    text
      .toLowerCase()
      .replace(/wide_?resnet/, 'wrn')
      .replace(/[^a-z0-9]/g, '');
  const split = (text: string) => (text.includes('/') ? text.split('/', 2) : ['', text]);
  const [family, name] = split(id);
  const [wantedFamily, wantedName] = split(arch);
  const isFamily = !arch.includes('/') || plain(family) === plain(wantedFamily);
  return isFamily && (plain(name) === plain(wantedName) || (arch.includes('/') && wantedName === ''));
}

function noFit(shapes: Shapes, others: readonly Misfit[], where: string): UnknownNetwork {
  const nearest = [...others].sort((a, b) => a.misfits - b.misfits).slice(0, 2);
  const reasons = nearest.map(
    ({ id, parameters }) => `${id} (${describeMisfits(parameters, shapes).join('; ')})`,
  );
  const near = reasons.length > 0 ? `; the nearest are ${reasons.join(' and ')}` : '';
  const misfits = nearest[0]?.misfits ?? Number.POSITIVE_INFINITY;
  return new UnknownNetwork(where, `its ${shapes.size} keys fit no known network${near}`, misfits);
}

/** What keeps the networks that fit from being built. */
function refused(refusals: readonly Error[], where: string): Error | undefined {
  const problems = refusals.flatMap((error) => (error instanceof CheckpointError ? error.problem : []));
  return problems.length > 0 ? new CheckpointError(where, problems.join('; '), exportItself) : refusals[0];
}

/** The configuration beside the file names another network than any with these keys. */
function unpublished(
  fitting: readonly Candidate[],
  { configuration, sets = [] }: Evidence,
  where: string,
): CheckpointError {
  const ids = [...new Set(fitting.map(({ id }) => id))];
  const named = configuration?.architecture ?? configuration?.modelType;
  return new CheckpointError(
    where,
    named === undefined
      ? `has the keys of ${ids.join(', ')}, which ${sets.length > 1 ? `are not published with ${printable(sets.join(' and '))} in one file` : 'are published with a config.json, and there is none beside it'}`
      : `the config.json beside it names ${named}, and its keys are those of ${ids.join(', ')}`,
    advice`say which it is: ${either(ids.map((id) => option('arch', id)))}`,
  );
}

/** Names the candidates, each with what it has and the others have not. */
function ambiguous(candidates: readonly Candidate[], where: string): CheckpointError {
  const all = candidates.map(({ reading }) => new Set(reading.assumptions));
  const described = candidates.map(({ id, reading }) => {
    const own = reading.assumptions.filter((assumption) => !all.every((set) => set.has(assumption)));
    return `${id} (${own.join('; ')})`;
  });
  return new CheckpointError(
    where,
    `its keys and shapes are those of networks that compute different things, and the file does not tell which: ${described.join(', ')}`,
    advice`say where it comes from: ${either(candidates.map(({ id }) => option('arch', id)))}`,
  );
}
