import { addAggregation, type LayerAggregation } from '../../detectors/layer-aggregation.ts';
import type { Limit } from '../../detectors/stage-scales.ts';
import { GraphBuilder } from '../../graph/builder.ts';
import { makeNode, makeValueInfo } from '../../graph/make.ts';
import { renameValues } from '../../graph/names.ts';
import {
  ElementType,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type ValueInfo,
} from '../../graph/onnx.ts';
import type { StagedNetwork } from './staged-network.ts';

/** What is known of the scores of a staged network. */
export interface StagedScales {
  readonly aggregation: LayerAggregation;
  /** Of each stage. */
  readonly limits: readonly Limit[];
}

/**
 * A staged network and its detectors as one graph, from `pixels` to the logits, `ood_score`, `stage` (int64, from 0),
 * `layer_scores` and `ood_layer`. After each stage, images whose score is above `threshold` are done: the next stage is in
 * a branch of an If operator, and takes only the rows of the others. What was not computed of the logits and
 * `layer_scores` of an image that leaves early is NaN.
 *
 * The graph lacks `threshold`: `decisionModel`, joined to it, has it.
 */
export function earlyExitGraph(network: StagedNetwork, scales: StagedScales): ModelProto {
  const { model } = network.features;
  const { node, initializer, output } = new StageWriter(network, scales, 0).write();
  return { ...model, graph: { ...model.graph, node, initializer, output, valueInfo: [] } };
}

/** Before a name: that value of the stage around. */
const OUTER = 'outer:';

/**
 * Writes the graph of a stage and of those behind it. Values have plain names within; in the end all that are defined get
 * names of this stage, since those of a graph and of the graphs within it must differ.
 */
class StageWriter {
  readonly #network: StagedNetwork;
  readonly #scales: StagedScales;
  readonly #at: number;
  readonly #graph: GraphBuilder;
  readonly #taken = new Set<string>();

  constructor(network: StagedNetwork, scales: StagedScales, at: number) {
    this.#network = network;
    this.#scales = scales;
    this.#at = at;
    this.#graph = new GraphBuilder(`stage_${at}`);
  }

  write(): GraphProto {
    const { stages, carried } = this.#network;
    const at = this.#at;
    this.#addDetectors();
    const isLast = at === stages.length - 1;
    if (isLast) this.#addLastScores();
    else this.#addEarlyScores();
    const { node, initializer } = this.#graph.build().graph;
    const kept = carried[at].map((value) =>
      makeNode('Gather', [OUTER + value, `${OUTER}rows`], value, { axis: 0 }),
    );
    const results = this.#results();
    const merged = results.map(({ name }) =>
      makeNode('ScatterND', [`${OUTER}own/${name}`, `${OUTER}places`, name], `merged/${name}`),
    );
    return this.#renamed({
      ...{ name: `stage_${at}`, input: [], valueInfo: [], metadataProps: [] },
      node: [
        ...kept,
        ...stages[at].node,
        ...node,
        ...(isLast ? [] : [this.#branch(results)]),
        ...(at > 0 ? merged : []),
      ],
      initializer: [...stages[at].initializer, ...initializer],
      output: at > 0 ? results.map((info) => ({ ...info, name: `merged/${info.name}` })) : results,
    });
  }

  /** What every stage and those behind it yield, for as many images as they are given. */
  #results(): ValueInfo[] {
    const { features, detectors } = this.#network;
    const { float, int64 } = ElementType;
    return [
      makeValueInfo(features.logits, { elemType: float, shape: ['batch', this.#classes] }),
      makeValueInfo('ood_score', { elemType: float, shape: ['batch'] }),
      makeValueInfo('stage', { elemType: int64, shape: ['batch'] }),
      makeValueInfo('layer_scores', { elemType: float, shape: ['batch', detectors.groups.length] }),
      makeValueInfo('ood_layer', { elemType: int64, shape: ['batch'] }),
    ];
  }

  /** The scores of all detectors so far. */
  #addDetectors(): void {
    const { complete, detectors } = this.#network;
    const before = this.#at > 0 ? complete[this.#at - 1] : 0;
    const fresh = Array.from({ length: complete[this.#at] - before }, (_, i) => before + i);
    for (const tap of fresh.flatMap((d) => detectors.groups[d])) this.#given(tap);
    detectors.addScores(this.#graph, fresh, before > 0 ? 'fresh_detectors' : 'detectors');
    if (before > 0)
      this.#node('Concat', [this.#kept('detectors'), 'fresh_detectors'], 'detectors', { axis: 1 });
  }

  #addLastScores(): void {
    this.#addScore({ layerScores: 'layer_scores', layer: 'ood_layer' }, 'ood_score');
    this.#addStage('ood_score', 'stage');
  }

  /** The results of the images that are done here, and which are not. */
  #addEarlyScores(): void {
    const { complete, detectors, features } = this.#network;
    const scores = { layerScores: 'own_layers', layer: 'own/ood_layer' };
    const score = this.#addScore(scores, 'own/ood_score');
    this.#addStage(score, 'own/stage');
    const later = detectors.groups.length - complete[this.#at];
    const unknown = this.#unknown('later', score, later);
    this.#node('Concat', [scores.layerScores, unknown], 'own/layer_scores', { axis: 1 });
    this.#unknown(`own/${features.logits}`, score, this.#classes);

    const isDone = this.#node('Greater', [score, this.#given('threshold')], 'is_done');
    const open = this.#node('NonZero', [this.#node('Not', [isDone], 'is_open')], 'open');
    const rows = this.#node('Reshape', [open, this.#graph.int64s('flat', [-1])], 'rows');
    this.#node('Reshape', [rows, this.#graph.int64s('column', [-1, 1])], 'places');
    const none = this.#graph.initializer('none', { dtype: 'int64', shape: [], data: BigInt64Array.of(0n) });
    this.#node('Greater', [this.#node('Size', [rows], 'left'), none], 'goes_on');
  }

  /** How far the aggregation of the detectors so far is above its limit, or an earlier stage's was, if that is more. */
  #addScore(names: { layerScores: string; layer: string }, name: string): string {
    const { aggregation, limits } = this.#scales;
    const score = 'aggregated';
    addAggregation(this.#graph, 'detectors', aggregation, this.#network.complete[this.#at], {
      ...names,
      score,
    });
    const { limit, spread } = limits[this.#at];
    const above = this.#node('Sub', [score, this.#floats('limit', [], [limit])], 'above');
    const own = this.#at > 0 ? 'above_in_spreads' : name;
    this.#node('Div', [above, this.#floats('spread', [], [spread])], own);
    return this.#at > 0 ? this.#node('Max', [this.#kept('own/ood_score'), own], name) : name;
  }

  /** The number of this stage, for every image. */
  #addStage(score: string, name: string): void {
    const batch = this.#node('Shape', [score], `${name}_batch`);
    this.#node('Expand', [this.#graph.int64s('number', [this.#at]), batch], name);
  }

  get #classes(): number {
    const { taps, widths, logits } = this.#network.features;
    return widths[taps.indexOf(logits)];
  }

  /** A row of NaN for every image. */
  #unknown(name: string, score: string, width: number): string {
    const batch = this.#node('Shape', [score], `${name}_batch`);
    const columns = this.#graph.int64s(`${name}_width`, [width]);
    const shape = this.#node('Concat', [batch, columns], `${name}_shape`, { axis: 0 });
    return this.#node('Expand', [this.#floats(`${name}_nan`, [1, 1], [Number.NaN]), shape], name);
  }

  /** The stages behind this one, if there are images left; else the results are this stage's own. */
  #branch(results: readonly ValueInfo[]): NodeProto {
    const next = new StageWriter(this.#network, this.#scales, this.#at + 1).write();
    const unmerged = (name: string) => `stage_${this.#at}/unmerged/${name}`;
    const otherwise: GraphProto = {
      ...{ name: 'done', input: [], initializer: [], valueInfo: [], metadataProps: [] },
      node: results.map(({ name }) => makeNode('Identity', [`own/${name}`], unmerged(name))),
      output: results.map((info) => ({ ...info, name: unmerged(info.name) })),
    };
    return {
      ...makeNode('If', ['goes_on'], '', { then_branch: next, else_branch: otherwise }),
      output: results.map(({ name }) => name),
    };
  }

  /**
   * Gives all that is defined here a name of this stage, but for the first, whose names are plain; what is of the stage
   * around gets its plain name, which that stage will change as it does its own.
   */
  #renamed(graph: GraphProto): GraphProto {
    const { model } = this.#network.features;
    const names = new Map<string, string>();
    for (const value of graph.node.flatMap(({ input }) => input))
      if (value.startsWith(OUTER)) names.set(value, value.slice(OUTER.length));
    const defined = [
      ...graph.initializer.map(({ name }) => name),
      ...graph.node.flatMap(({ output }) => output),
    ];
    if (this.#at > 0) for (const name of defined) names.set(name, `stage_${this.#at}/${name}`);
    return renameValues({ ...model, graph }, names).graph;
  }

  /** The rows that are not done of a value of the stage around. */
  #kept(value: string): string {
    const rows = [this.#given(OUTER + value), this.#given(`${OUTER}rows`)];
    return this.#node('Gather', rows, `kept/${value}`, { axis: 0 });
  }

  /** A value that the network or the stage around yields. */
  #given(name: string): string {
    if (!this.#taken.has(name)) this.#graph.input(name, ElementType.float, []);
    this.#taken.add(name);
    return name;
  }

  #node(opType: string, inputs: readonly string[], name: string, attributes = {}): string {
    return this.#graph.node(opType, inputs, { name, attributes });
  }

  #floats(name: string, shape: number[], values: ArrayLike<number>): string {
    const data = Float32Array.from(values);
    return this.#graph.initializer(name, { dtype: 'float32', shape, data });
  }
}
