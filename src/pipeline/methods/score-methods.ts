import { openFeatures } from '../../../converters/hdf5/open-features.ts';
import type { OnProgress } from '../../common/progress.ts';
import type { ModelProto } from '../../graph/onnx.ts';
import type { DeviceName } from '../../runtime/device.ts';
import { GraphSession } from '../../runtime/graph-session.ts';
import { setName } from '../features/feature-files.ts';
import { layersOf, rowsAtOnce, runOnFeatures } from '../features/feature-rows.ts';

/** The scores of images, by the method's name; higher is more OOD. */
export type MethodScores = ReadonlyMap<string, Float32Array>;

/** Scores feature files by fitted methods, in one session. Close it when done. */
export class MethodScorer {
  readonly methods: readonly string[];
  readonly #model: ModelProto;
  readonly #session: GraphSession;
  readonly #rows: number;

  private constructor(model: ModelProto, session: GraphSession, rows: number) {
    this.methods = model.graph.output.map(({ name }) => name);
    this.#model = model;
    this.#session = session;
    this.#rows = rows;
  }

  /**
   * @param model `methods.onnx`, or what `methodsModel` made
   * @param memory bytes that running it may take beyond its constants; 2 GiB where absent
   */
  static async open(model: ModelProto, device: DeviceName = 'cpu', memory?: number): Promise<MethodScorer> {
    return new MethodScorer(model, await GraphSession.open(model, { device }), rowsAtOnce(model, memory));
  }

  /**
   * The scores of a feature file's images.
   *
   * @param backbone SHA-256 of the backbone that the features must be of; any where absent
   * @throws RunError where the file lacks a layer, or is of another backbone
   */
  async score(path: string, backbone?: string, onProgress?: OnProgress): Promise<MethodScores> {
    const features = await openFeatures(path);
    try {
      const taps = this.#model.graph.input.map(({ name }) => name);
      const layers = layersOf(features, taps, path, backbone);
      const scores = new Map(this.methods.map((name) => [name, new Float32Array(features.count)]));
      const running = { atOnce: this.#rows, task: `score ${setName(path)}`, tell: onProgress };
      for await (const { start, outputs } of runOnFeatures(
        this.#session,
        features,
        layers,
        this.methods,
        running,
      ))
        for (const [name, values] of scores) values.set(outputs[name].data as Float32Array, start);
      return scores;
    } finally {
      features.close();
    }
  }

  async close(): Promise<void> {
    await this.#session.close();
  }
}
