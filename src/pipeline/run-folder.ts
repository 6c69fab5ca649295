import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { RunError } from '../common/errors.ts';
import { makeFolder, sha256, sha256File, writeAtomically } from '../common/files.ts';
import { type FolderLock, lockFolder } from '../common/folder-lock.ts';
import { programVersion, versions } from './versions.ts';

/** What the manifest says of a step that was finished. */
const stepSchema = z.object({
  /** Hash of everything that the step's outputs depend on. */
  key: z.string(),
  settings: z.record(z.string(), z.unknown()),
  /** SHA-256 or fingerprint of each input, by name. */
  inputs: z.record(z.string(), z.string()),
  /** SHA-256 of each file written, by its path in the run folder. */
  outputs: z.record(z.string(), z.string()),
  /** What the step found, for people and for later steps. */
  results: z.record(z.string(), z.unknown()),
  /** Where its graphs ran. */
  device: z.string().optional(),
  seconds: z.number(),
  finished: z.string(),
  versions: z.record(z.string(), z.string()),
});

const manifestSchema = z.object({
  format: z.literal(1, { error: 'was written by another version of la-ood' }),
  program: z.string(),
  steps: z.record(z.string(), stepSchema),
});

export type StepRecord = z.infer<typeof stepSchema>;
/** What a run folder says of itself. */
export type Manifest = z.infer<typeof manifestSchema>;

/** A step of the pipeline: what it depends on, and how it is done. */
export interface Step {
  /** Its name in the manifest: `fit`, `features/cifar10_test`. */
  readonly name: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly inputs: Readonly<Record<string, string>>;
  /**
   * Does the work. Gets the step's key, to name unfinished work by.
   *
   * @returns the files written, relative to the run folder
   */
  run(key: string): Promise<{
    outputs: readonly string[];
    results?: Record<string, unknown>;
    device?: string;
  }>;
}

/**
 * A folder that holds everything of one run, and a manifest of how each file came to be. A step that was finished with
 * the same inputs and settings, and whose files are as it left them, is not done again.
 */
export class RunFolder {
  readonly path: string;
  readonly #lock: FolderLock;
  readonly #manifest: Manifest;

  private constructor(path: string, lock: FolderLock, manifest: Manifest) {
    this.path = path;
    this.#lock = lock;
    this.#manifest = manifest;
  }

  /**
   * Opens a run folder, and makes it where it is not there; one that was made and is still empty at `close`, or when the
   * process ends, is removed. No other process may use it until then.
   *
   * @throws RunError where another process uses it, or its manifest cannot be read
   */
  static async open(path: string): Promise<RunFolder> {
    const removeEmpty = await makeFolder(path);
    const lock = await lockFolder(join(path, '.lock'), removeEmpty);
    try {
      return new RunFolder(path, lock, await readManifest(path));
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  /**
   * Opens the folder, and closes it whatever happens.
   *
   * @example
   * ```ts
   * import { evaluateRun, extractFeatures, fitDetectors, RunFolder } from 'la-ood/guard';
   *
   * await RunFolder.use('runs/mine', async (run) => {
   *   await extractFeatures(run, {
   *     train: { name: 'photos', source: 'photos/train' },
   *     test: { name: 'photos', source: 'photos/test' },
   *   });
   *   await fitDetectors(run);
   * });
   * ```
   */
  static async use<T>(path: string, work: (run: RunFolder) => Promise<T>): Promise<T> {
    const run = await RunFolder.open(path);
    try {
      return await work(run);
    } finally {
      await run.close();
    }
  }

  async close(): Promise<void> {
    this.#lock.release();
  }

  /** The path of a file in this folder. */
  file(...name: string[]): string {
    return join(this.path, ...name);
  }

  /** What the manifest says of a step, where it was finished. */
  record(step: string): StepRecord | undefined {
    return this.#manifest.steps[step];
  }

  /** What the manifest says of every step that was finished, by its name, in the order in which they first were. */
  records(): [name: string, record: StepRecord][] {
    return Object.entries(this.#manifest.steps);
  }

  /** Does a step, or finds that it is done already. */
  async do(step: Step): Promise<{ record: StepRecord; done: 'now' | 'before' }> {
    const { name, settings, inputs } = step;
    const key = sha256(Buffer.from(JSON.stringify([programVersion, name, sorted(settings), sorted(inputs)])));
    const before = this.record(name);
    if (before?.key === key && (await this.#isIntact(before))) return { record: before, done: 'before' };

    const start = performance.now();
    const { outputs, results = {}, device } = await step.run(key);
    const record: StepRecord = {
      key,
      settings: { ...settings },
      inputs: { ...inputs },
      outputs: {},
      results,
      device,
      seconds: (performance.now() - start) / 1000,
      finished: new Date().toISOString(),
      versions: versions(),
    };
    for (const output of outputs) record.outputs[output] = await sha256File(this.file(output));
    this.#manifest.steps[name] = record;
    await this.#write();
    return { record, done: 'now' };
  }

  /** Says more of what a finished step found, where that changes none of its files. */
  async amend(step: string, results: Readonly<Record<string, unknown>>): Promise<void> {
    const record = this.#manifest.steps[step];
    if (Object.entries(results).every(([name, value]) => record.results[name] === value)) return;
    Object.assign(record.results, results);
    await this.#write();
  }

  async #write(): Promise<void> {
    await writeAtomically(this.file('manifest.json'), `${JSON.stringify(this.#manifest, null, 2)}\n`);
  }

  async #isIntact({ outputs }: StepRecord): Promise<boolean> {
    for (const [output, hash] of Object.entries(outputs)) {
      const path = this.file(output);
      if (!(await exists(path)) || (await sha256File(path)) !== hash) return false;
    }
    return true;
  }
}

/**
 * The manifest of a run folder; one without steps where the folder has none.
 *
 * @throws RunError where it is damaged, or of another version
 */
export async function readManifest(folder: string): Promise<Manifest> {
  const path = join(folder, 'manifest.json');
  if (!(await exists(path))) return { format: 1, program: `la-ood ${programVersion}`, steps: {} };
  let json: unknown;
  try {
    json = JSON.parse(await readFile(path, 'utf8'));
  } catch {
    throw new RunError(path, 'is not JSON', 'move it away: its steps will be done again');
  }
  const manifest = manifestSchema.safeParse(json);
  if (manifest.success) return manifest.data;
  const [{ path: place, message }] = manifest.error.issues;
  throw new RunError(`${path}: ${place.join('.')}`, message, 'use that version, or another run folder');
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Entries in the order of their names, so that equal settings have equal hashes. */
function sorted(record: Readonly<Record<string, unknown>>): [string, unknown][] {
  return Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));
}
