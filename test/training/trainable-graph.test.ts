import { expect } from 'chai';
import { GraphError } from '../../src/common/errors.ts';
import { RandomState } from '../../src/common/random.ts';
import { float, GraphBuilder } from '../../src/graph/builder.ts';
import { ElementType } from '../../src/graph/onnx.ts';
import { openTrainingBackend, type TensorFlow, type TrainingBackend } from '../../src/training/backend.ts';
import { classification } from '../../src/training/objective.ts';
import { type Gradients, TrainableGraph } from '../../src/training/trainable-graph.ts';
import { SIDE, smallBackbone } from './networks.ts';

const BATCH = 6;

describe('a graph that is trained', () => {
  let backend: TrainingBackend;
  let tf: TensorFlow;
  before(() => {
    backend = openTrainingBackend();
    ({ tf } = backend);
  });
  const random = new RandomState(11);
  const images = Float32Array.from({ length: BATCH * SIDE * SIDE * 3 }, () => random.normal());
  const labels = Int32Array.from({ length: BATCH }, () => random.integer(9));

  /** Loss, and with `gradients` where it comes from. */
  function judge(graph: TrainableGraph, gradients: boolean): { loss: number; gradients?: Gradients } {
    const x = tf.tensor4d(images.slice(), [BATCH, SIDE, SIDE, 3]);
    const pass = graph.forward(x, { batchStatistics: true, gradients });
    const judged = classification(graph).judge(pass, labels, random);
    const found = gradients ? pass.backward(judged.gradients) : undefined;
    if (!found) for (const gradient of judged.gradients.values()) gradient.dispose();
    pass.dispose();
    x.dispose();
    return { loss: judged.loss, gradients: found };
  }

  it('has the gradients that small steps show', () => {
    const graph = new TrainableGraph(smallBackbone(2), backend);
    const { gradients } = judge(graph, true);
    expect([...gradients!.weights.keys()]).has.members([...graph.weights.values()]);
    for (const [weight, gradient] of gradients!.weights) {
      const direction = weight.read(gradient);
      const norm = Math.sqrt(direction.reduce((sum, value) => sum + value * value, 0));
      const values = weight.read();
      const lossAt = (step: number) => {
        weight.assign(weight.arrange(values.map((value, i) => value + (step * direction[i]) / norm)));
        return judge(graph, false).loss;
      };
      const step = 0.01;
      const slope = (lossAt(step) - lossAt(-step)) / (2 * step);
      weight.assign(weight.arrange(values));
      expect(slope / norm, weight.name).closeTo(1, 0.02);
      gradient.dispose();
    }
    graph.dispose();
  });

  it('drops out as many features as it says while it is trained, and none else', () => {
    const builder = new GraphBuilder('dropout');
    builder.input('x', ElementType.float, ['batch', 3, SIDE, SIDE]);
    builder.node('Dropout', ['x'], { outputs: ['y'], attributes: { ratio: float(0.3) } });
    builder.output('y', ElementType.float, ['batch', 3, SIDE, SIDE]);
    const graph = new TrainableGraph(builder.build({ opset: 11 }), backend);
    const x = tf.ones([100, SIDE, SIDE, 3]);
    const at = (options: object) => graph.forward(x, options).value('y').dataSync();
    expect(new Set(at({}))).deep.equals(new Set([1]));
    const dropped = at({ random: new RandomState(1) });
    expect(new Set(dropped)).deep.equals(new Set([0, Math.fround(1 / 0.7)]));
    expect(dropped.filter((value) => value === 0).length / dropped.length).closeTo(0.3, 0.01);
    expect(at({ random: new RandomState(1) })).deep.equals(dropped);
    expect(at({ random: new RandomState(2) })).not.deep.equals(dropped);
    // What was dropped has no gradient, and what was enlarged a larger one.
    const pass = graph.forward(x, { random: new RandomState(1), gradients: true, inputGradient: true });
    const { input } = pass.backward(new Map([['y', tf.ones(x.shape)]]));
    expect(input!.dataSync()).deep.equals(dropped);
    graph.dispose();
  });

  it('adds the gradients of a weight that is used twice', () => {
    const builder = new GraphBuilder('shared');
    builder.input('x', ElementType.float, ['batch', 3, SIDE, SIDE]);
    builder.node('GlobalAveragePool', ['x'], { name: 'pool' });
    builder.node('Flatten', ['pool'], { name: 'flat' });
    const data = Float32Array.from({ length: 9 }, (_, i) => 0.1 * i - 0.3);
    builder.initializer('w', { dtype: 'float32', shape: [3, 3], data });
    builder.node('MatMul', ['flat', 'w'], { name: 'a' });
    // Exporters give such a weight a second name.
    builder.node('Identity', ['w'], { name: 'also' });
    builder.node('MatMul', ['flat', 'also'], { name: 'b' });
    builder.node('Add', ['a', 'b'], { name: 'y' });
    builder.output('y', ElementType.float, ['batch', 3]);
    const graph = new TrainableGraph(builder.build(), backend);
    expect([...graph.weights.keys()]).deep.equals(['w']);
    const x = tf.tensor4d(images.slice(), [BATCH, SIDE, SIDE, 3]);
    const pass = graph.forward(x, { gradients: true });
    const weight = graph.weights.get('w')!;
    const { weights } = pass.backward(new Map([['y', tf.ones([BATCH, 3])]]));
    // y = 2 x w, so that each column of the gradient holds twice the sums of x.
    const sums = tf.mul(tf.sum(tf.mean(x, [1, 2]), 0), 2).dataSync();
    weight.read(weights.get(weight)).forEach((value, i) => {
      expect(value).closeTo(sums[Math.floor(i / 3)], 1e-5);
    });
    graph.dispose();
  });

  it('names the operator that it does not know', () => {
    const builder = new GraphBuilder('gelu');
    builder.input('x', ElementType.float, ['batch', 3, SIDE, SIDE]);
    builder.node('Erf', ['x'], { name: 'block.0' });
    builder.output('block.0', ElementType.float, ['batch', 3, SIDE, SIDE]);
    expect(() => new TrainableGraph(builder.build(), backend, { where: 'net.onnx' })).throws(
      GraphError,
      /^net\.onnx: node "block\.0": training does not know the operator Erf; it knows Add, /,
    );
  });

  it('names a setting that is computed', () => {
    const builder = new GraphBuilder('clip');
    builder.input('x', ElementType.float, ['batch', 3, SIDE, SIDE]);
    builder.node('Relu', ['x'], { name: 'limit' });
    builder.node('Clip', ['x', '', 'limit'], { name: 'y' });
    builder.output('y', ElementType.float, ['batch', 3, SIDE, SIDE]);
    expect(() => new TrainableGraph(builder.build(), backend, { where: 'net.onnx' })).throws(
      GraphError,
      /^net\.onnx: node "y": training does not know Clip with the input limit, which is computed; /,
    );
  });
});
