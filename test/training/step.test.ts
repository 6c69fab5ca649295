import { expect } from 'chai';
import { GraphError } from '../../src/common/errors.ts';
import { RandomState } from '../../src/common/random.ts';
import { float, GraphBuilder } from '../../src/graph/builder.ts';
import { ElementType, type ModelProto } from '../../src/graph/onnx.ts';
import { tensorFromProto } from '../../src/graph/tensor-proto.ts';
import type { SgdOptions, TrainingSession } from '../../src/training/engine.ts';
import type { Objective } from '../../src/training/objective.ts';
import { onnxEngine } from '../../src/training/onnx/onnx-engine.ts';
import { SIDE, smallBackbone } from './networks.ts';

const BATCH = 6;
const CLASSES = 3;
const still: SgdOptions = { momentum: 0, weightDecay: 0 };

describe('a step of training', () => {
  const random = new RandomState(11);
  const images = Float32Array.from({ length: BATCH * SIDE * SIDE * 3 }, () => random.normal());
  const labels = Int32Array.from({ length: BATCH }, () => random.integer(CLASSES - 1));
  const batch = () => ({ images: images.slice(), shape: [BATCH, 3, SIDE, SIDE], labels }) as const;
  const sessions: TrainingSession[] = [];
  const open = async (model: ModelProto, optimizer = still, objective: Objective = {}, parts = 1) => {
    sessions.push(await onnxEngine.open({ model, where: 'net.onnx', objective, optimizer, parts }));
    return sessions.at(-1)!;
  };
  afterEach(() => Promise.all(sessions.splice(0).map((session) => session.close())));
  const weightsOf = async (session: TrainingSession, name: string) => {
    const { model } = await session.state();
    const proto = model.graph.initializer.find((tensor) => tensor.name === name)!;
    return tensorFromProto(proto, 'net').data as Float32Array;
  };
  const take = (session: TrainingSession, rate: number) =>
    session.step({ ...batch() } as never, rate, random);

  it('goes down along the gradient, as far as its length says', async () => {
    const session = await open(smallBackbone(2));
    const before = await weightsOf(session, 'conv1.weight');
    const [rate, names] = [
      1e-3,
      ['conv1.weight', 'bn1.weight', 'bn1.bias', 'conv2.weight', 'fc.weight', 'fc.bias'],
    ];
    const old = await Promise.all(names.map((name) => weightsOf(session, name)));
    const { loss } = await take(session, rate);
    const now = await Promise.all(names.map((name) => weightsOf(session, name)));
    const { loss: after } = await take(session, 0);
    const squares = now.flatMap((values, n) => [
      ...values.map((value, i) => ((value - old[n][i]) / rate) ** 2),
    ]);
    const fall = rate * squares.reduce((sum, value) => sum + value, 0);
    expect((loss - after) / fall).closeTo(1, 0.05);
    expect(await weightsOf(session, 'conv1.weight')).not.deep.equals(before);
  });

  it('is the same in parts, where nothing is normalised by the batch', async () => {
    const model = smallBackbone(2);
    const node = model.graph.node.map((each) =>
      each.opType === 'BatchNormalization'
        ? { ...each, opType: 'Identity', input: each.input.slice(0, 1), attribute: [] }
        : each,
    );
    const plain = { ...model, graph: { ...model.graph, node } };
    const optimizer = { momentum: 0.9, weightDecay: 0.01 };
    const [whole, parted] = [await open(plain, optimizer), await open(plain, optimizer, {}, 4)];
    for (let step = 0; step < 2; step++) {
      const [one, other] = [await take(whole, 0.1), await take(parted, 0.1)];
      expect(other.loss).closeTo(one.loss, 1e-5);
      expect(other.correct).equals(one.correct);
    }
    const moved = await weightsOf(parted, 'conv1.weight');
    (await weightsOf(whole, 'conv1.weight')).forEach((value, i) => {
      expect(moved[i]).closeTo(value, 1e-5);
    });
    expect(parted.memory(400)! < whole.memory(400)!).equals(true);
    const error = await open(plain, { ...optimizer, clip: 1 }, {}, 2).catch((thrown) => thrown);
    expect(error.message).equals(
      '`parts`: goes with neither clipped gradients nor Nesterov’s momentum; leave it out, or `clip` and `nesterov`',
    );
  });

  it('smooths labels', async () => {
    const [hard, even] = [
      await open(smallBackbone(2)),
      await open(smallBackbone(2), still, { labelSmoothing: 1 }),
    ];
    const [one, all] = [(await take(hard, 0)).loss, (await take(even, 0)).loss];
    const half = await open(smallBackbone(2), still, { labelSmoothing: 0.5 });
    expect((await take(half, 0)).loss).closeTo((one + all) / 2, 1e-5);
  });

  it('drops out as many features as it says', async () => {
    const builder = new GraphBuilder('dropout');
    builder.input('x', ElementType.float, ['batch', 3, SIDE, SIDE]);
    const weight = {
      dtype: 'float32',
      shape: [3 * SIDE * SIDE, CLASSES],
      data: new Float32Array(3 * SIDE * SIDE * CLASSES),
    } as const;
    builder.initializer('w', weight);
    builder.node('Flatten', ['x'], { name: 'flat' });
    builder.node('Dropout', ['flat'], { name: 'dropped', attributes: { ratio: float(0.3) } });
    builder.node('MatMul', ['dropped', 'w'], { name: 'y' });
    builder.output('y', ElementType.float, ['batch', CLASSES]);
    const session = await open(builder.build({ opset: 11 }));
    const ones = {
      images: new Float32Array(3 * SIDE * SIDE).fill(1),
      shape: [1, 3, SIDE, SIDE],
      labels: Int32Array.of(0),
    };
    const movedBy = async (seed: number) => {
      const old = await weightsOf(session, 'w');
      await session.step({ ...ones, images: ones.images.slice() } as never, 1e-6, new RandomState(seed));
      const now = await weightsOf(session, 'w');
      return Array.from({ length: 3 * SIDE * SIDE }, (_, i) => Number(now[i * CLASSES] !== old[i * CLASSES]));
    };
    const first = await movedBy(1);
    expect(first.filter((moved) => !moved).length / first.length).closeTo(0.3, 0.1);
    expect(await movedBy(1)).deep.equals(first);
    expect(await movedBy(2)).not.deep.equals(first);
  });

  it('adds the gradients of a weight that is used twice', async () => {
    const build = (twice: boolean) => {
      const builder = new GraphBuilder('shared');
      builder.input('x', ElementType.float, ['batch', 3, SIDE, SIDE]);
      builder.node('GlobalAveragePool', ['x'], { name: 'pool' });
      builder.node('Flatten', ['pool'], { name: 'flat' });
      const data = Float32Array.from({ length: 9 }, (_, i) => 0.1 * i - 0.3);
      builder.initializer('w', { dtype: 'float32', shape: [3, 3], data });
      builder.node('MatMul', ['flat', 'w'], { name: 'a' });
      // Exporters give such a weight a second name.
      builder.node('Identity', ['w'], { name: 'also' });
      if (twice) builder.node('MatMul', ['flat', 'also'], { name: 'b' });
      else
        builder.node(
          'Mul',
          ['a', builder.initializer('one', { dtype: 'float32', shape: [], data: Float32Array.of(1) })],
          { name: 'b' },
        );
      builder.node('Add', ['a', 'b'], { name: 'y' });
      builder.output('y', ElementType.float, ['batch', 3]);
      return builder.build();
    };
    const moved = async (model: ModelProto) => {
      const session = await open(model);
      await take(session, 1);
      return weightsOf(session, 'w');
    };
    const [shared, doubled] = [await moved(build(true)), await moved(build(false))];
    shared.forEach((value, i) => {
      expect(value).closeTo(doubled[i], 1e-6);
    });
  });

  it('names the operator that it does not know', async () => {
    const builder = new GraphBuilder('gelu');
    builder.input('x', ElementType.float, ['batch', 3, SIDE, SIDE]);
    builder.initializer('w', { dtype: 'float32', shape: [3, 3, 1, 1], data: new Float32Array(9) });
    builder.node('Conv', ['x', 'w'], { name: 'conv' });
    builder.node('Erf', ['conv'], { name: 'block.0' });
    builder.node('Flatten', ['block.0'], { name: 'flat' });
    builder.output('flat', ElementType.float, ['batch', 3 * SIDE * SIDE]);
    const error = await open(builder.build()).catch((thrown) => thrown);
    expect(error).instanceOf(GraphError);
    expect(error.message).matches(
      /^net\.onnx: node "block\.0": training does not know the operator Erf; it knows Add, /,
    );
  });

  it('names a setting that is computed', async () => {
    const builder = new GraphBuilder('clip');
    builder.input('x', ElementType.float, ['batch', 3, SIDE, SIDE]);
    builder.initializer('w', { dtype: 'float32', shape: [3, 3, 1, 1], data: new Float32Array(9) });
    builder.node('Conv', ['x', 'w'], { name: 'conv' });
    builder.node('ReduceMax', ['x'], { name: 'limit', attributes: { keepdims: 0 } });
    builder.node('Clip', ['conv', '', 'limit'], { name: 'y' });
    builder.node('Flatten', ['y'], { name: 'flat' });
    builder.output('flat', ElementType.float, ['batch', 3 * SIDE * SIDE]);
    const error = await open(builder.build()).catch((thrown) => thrown);
    expect(error.message).matches(
      /^net\.onnx: node "y": training does not know Clip with the input limit, which is computed; /,
    );
  });
});
