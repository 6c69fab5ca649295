import { open } from 'node:fs/promises';
import { advice, command, FeatureError } from '../../src/common/errors.ts';
import { calling } from '../../src/common/hdf5.ts';
import { type DatasetFacts, Hdf5File } from '../../src/common/hdf5-file.ts';

const REMEDY = advice`make it again with ${command('features')}`;

/** Values are read in blocks of about this many bytes, which bounds what WebAssembly's memory grows to. */
const BLOCK_BYTES = 16 << 20;

/**
 * Opens a feature file: one HDF5 dataset a layer, named `0`, `1`, …, N x C, float32 or float64, chunked and compressed
 * or not. Written by {@link writeFeatures} or, with h5py, by the original. Other objects in the file are left alone.
 *
 * @throws FeatureError where the file is missing, damaged, or not of that layout
 *
 * @example
 * ```ts
 * import { openFeatures } from 'la-ood/checkpoints';
 *
 * const features = await openFeatures('runs/mine/features/cifar10_train.hdf5');
 * console.log(features.count, features.taps, features.widths);
 * const rows = features.readLayer(0); // count × widths[0]
 * features.close();
 * ```
 */
export async function openFeatures(path: string): Promise<FeatureFile> {
  await checkSignature(path);
  const file = calling(FeatureError, path, 'cannot be opened', REMEDY, () => new Hdf5File(path));
  try {
    return calling(FeatureError, path, 'is damaged', REMEDY, () => new FeatureFile(path, file));
  } catch (error) {
    file.close();
    throw error;
  }
}

/** An open feature file. Close it when done. */
export class FeatureFile {
  /** C of each layer. */
  readonly widths: readonly number[];
  /** N, the number of images. */
  readonly count: number;
  /** Names of the layers, where the file says them. */
  readonly taps?: readonly string[];
  /** The root group's attributes that are texts or numbers. */
  readonly attributes: Readonly<Record<string, string | number>>;
  readonly #layers: readonly Layer[];
  readonly #file: Hdf5File;

  /** Use {@link openFeatures}. */
  constructor(
    readonly path: string,
    file: Hdf5File,
  ) {
    this.#file = file;
    const names = layerNames(path, file);
    this.#layers = file.datasets(names).map((dataset, layer) => layerOf(path, names[layer], dataset));
    this.widths = this.#layers.map((layer) => layer.width);
    this.count = this.#layers[0].count;
    this.#layers.forEach((layer, index) => {
      if (layer.count !== this.count)
        throw new FeatureError(
          path,
          `layer 0 has ${this.count} rows, layer ${index} has ${layer.count}`,
          REMEDY,
        );
    });
    if (this.count === 0) throw new FeatureError(path, 'holds layers without any rows', REMEDY);
    this.attributes = file.attributes();
    this.taps = tapNames(path, this.attributes.taps, this.layers);
  }

  /** Number of layers. */
  get layers(): number {
    return this.#layers.length;
  }

  /** All rows of a layer, N x C, float64 rounded to float32. See {@link readLayerRows}. */
  readLayer(layer: number, options?: { finite?: boolean }): Float32Array {
    return this.readLayerRows(layer, 0, this.count, options);
  }

  /**
   * `count` rows of a layer from row `start`, row-major.
   *
   * @param options.finite refuses NaN and infinite features, and names the first
   * @throws FeatureError where there is no such layer, its bytes are damaged, or features are refused
   */
  readLayerRows(
    layer: number,
    start: number,
    count: number,
    options: { finite?: boolean } = {},
  ): Float32Array {
    if (!(layer in this.#layers))
      throw new FeatureError(this.path, `has no layer ${layer}, only 0 to ${this.layers - 1}`);
    if (start < 0 || count < 0 || start + count > this.count)
      throw new RangeError(`rows ${start} to ${start + count} of ${this.count}`);
    const { name, width, blockRows } = this.#layers[layer];
    const rows = new Float32Array(count * width);
    for (let from = start; from < start + count; ) {
      const to = Math.min(start + count, from + blockRows - (from % blockRows));
      const block = calling(FeatureError, this.path, `layer ${layer} cannot be read`, REMEDY, () =>
        this.#file.values(name, [
          [from, to],
          [0, width],
        ]),
      );
      rows.set(block as Float32Array | Float64Array, (from - start) * width);
      from = to;
    }
    if (options.finite) this.#refuseNonFinite(layer, start, rows);
    return rows;
  }

  close(): void {
    this.#file.close();
  }

  #refuseNonFinite(layer: number, start: number, rows: Float32Array): void {
    const at = rows.findIndex((value) => !Number.isFinite(value));
    if (at < 0) return;
    const row = start + Math.floor(at / this.widths[layer]);
    const name = this.taps ? ` (${this.taps[layer]})` : '';
    throw new FeatureError(this.path, `layer ${layer}${name}, row ${row}: a feature is ${rows[at]}`);
  }
}

interface Layer {
  /** Of its dataset. */
  readonly name: string;
  readonly count: number;
  readonly width: number;
  /** Rows read at once: whole chunks, since HDF5 decompresses no less. */
  readonly blockRows: number;
}

/** HDF5 files start with these eight bytes (File Format Specification, II.A); told apart here for a clear message. */
async function checkSignature(path: string): Promise<void> {
  const signature = Buffer.from('\x89HDF\r\n\x1a\n', 'latin1');
  const start = Buffer.alloc(signature.length);
  let bytesRead: number;
  try {
    const file = await open(path);
    try {
      ({ bytesRead } = await file.read(start));
    } finally {
      await file.close();
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT')
      throw new FeatureError(
        path,
        'there is no such file',
        advice`make it with ${command('features')}`,
        error,
      );
    throw new FeatureError(path, `cannot be read (${code})`, 'check its permissions', error);
  }
  if (bytesRead === 0) throw new FeatureError(path, 'is empty', REMEDY);
  if (!start.equals(signature)) throw new FeatureError(path, 'is not an HDF5 file', REMEDY);
}

/** `0`, `1`, … as far as they go. HDF5 lists names as text: 0, 1, 10, 11, …, 2. */
function layerNames(path: string, file: Hdf5File): string[] {
  const { names } = file;
  const present = new Set(names.filter((name) => /^(0|[1-9]\d*)$/.test(name)));
  if (present.size === 0) {
    const found = names.length > 0 ? `, but ${names.slice(0, 3).map((name) => `"${name}"`)}` : '';
    throw new FeatureError(path, `holds no layers named 0, 1, …${found}`, 'is this a feature file?');
  }
  const expected = Array.from({ length: present.size }, (_, layer) => String(layer));
  const missing = expected.find((name) => !present.has(name));
  if (missing)
    throw new FeatureError(path, `layer ${missing} is missing among ${present.size} layers`, REMEDY);
  return expected;
}

function layerOf(path: string, name: string, dataset: DatasetFacts | undefined): Layer {
  if (!dataset) throw new FeatureError(path, `layer ${name} is not an HDF5 dataset`);
  const { dtype, shape, chunks, valueBytes } = dataset;
  if (!/^[<>][fd]$/.test(String(dtype)))
    throw new FeatureError(
      path,
      `layer ${name} holds values of type ${JSON.stringify(dtype)}, not float32 or float64`,
    );
  if (shape?.length !== 2)
    throw new FeatureError(
      path,
      `layer ${name} has shape [${shape}], not N x C`,
      'pool the features over H and W',
    );
  const [count, width] = shape;
  const chunkRows = chunks?.[0] ?? 1;
  const rows = Math.floor(BLOCK_BYTES / (width * valueBytes));
  return { name, count, width, blockRows: Math.max(1, Math.floor(rows / chunkRows)) * chunkRows };
}

/** The attribute `taps`: a JSON list with a name for each layer. */
function tapNames(path: string, json: string | number | undefined, layers: number): string[] | undefined {
  if (json === undefined) return undefined;
  const taps = listedNames(json);
  if (taps?.length !== layers)
    throw new FeatureError(path, `its attribute "taps" is not a JSON list of ${layers} names`, REMEDY);
  return taps;
}

/** The names in an attribute that is a JSON list of them; undefined where it is none. */
export function listedNames(json: string | number | undefined): string[] | undefined {
  try {
    const names: unknown = JSON.parse(String(json));
    if (Array.isArray(names) && names.every((name) => typeof name === 'string')) return names;
  } catch {}
  return undefined;
}
