import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { DeviceError } from '../../src/common/errors.ts';
import { packageRoot } from '../../src/common/package-root.ts';
import type { Tensor } from '../../src/common/tensor.ts';
import { GraphSession } from '../../src/runtime/graph-session.ts';
import { rejection } from '../data/rejection.ts';
import { numbers, runModel, smallNet } from '../graph/models.ts';

/** The inputs of `smallNet` for so many images. */
function feeds(images: number, seed: number): { image: Tensor } {
  return { image: { dtype: 'float32', shape: [images, 3, 8, 8], data: numbers(192 * images, seed) } };
}

describe('GraphSession', () => {
  const model = smallNet();

  it('gives what onnxruntime gives, and leaves the inputs to the caller', async () => {
    const session = await GraphSession.open(model, { device: 'cpu' });
    expect(session.device).to.equal('cpu');
    const { image } = feeds(2, 1);
    const { logits } = await session.run({ image });
    const data = image.data as Float32Array;
    const expected = await runModel(model, { image: { data, dims: [2, 3, 8, 8] } });
    expect(logits).to.deep.include({ dtype: 'float32', shape: [2, 5] });
    expect(logits.data).to.deep.equal(expected.logits.data);
    expect(data).to.have.length(384);
    await session.close();
  });

  it('answers runs in the order of the calls, each with its own images', async () => {
    const session = await GraphSession.open(model, { device: 'cpu', threads: 1 });
    const finished: number[] = [];
    const runs = [3, 1, 2].map(async (images) => {
      const outputs = await session.run(feeds(images, images), ['logits']);
      finished.push(images);
      return outputs;
    });
    const shapes = (await Promise.all(runs)).map((outputs) => [Object.keys(outputs), outputs.logits.shape]);
    expect(finished).to.deep.equal([3, 1, 2]);
    expect(shapes).to.deep.equal([3, 1, 2].map((images) => [['logits'], [images, 5]]));
    await session.close();
  });

  it('fails by a run that the graph does not take, and goes on with the next', async () => {
    const session = await GraphSession.open(model, { device: 'cpu', threads: 1 });
    const wrong = { image: { ...feeds(1, 1).image, shape: [1, 3, 64, 1] } };
    expect((await rejection(session.run(wrong), Error)).message).to.match(/invalid dimensions/i);
    expect((await session.run(feeds(1, 1))).logits.shape).to.deep.equal([1, 5]);
    await session.close();
  });

  it('fails what is asked for after it was closed', async () => {
    const session = await GraphSession.open(model, { device: 'cpu', threads: 1 });
    await session.close();
    await session.close();
    expect((await rejection(session.run(feeds(1, 1)), Error)).message).to.equal('the session was closed');
  });

  it('begins where another was closed, and gets none of its answers', async () => {
    const [first, other] = [smallNet(), smallNet()];
    other.graph.output[0].name = 'renamed';
    for (const node of other.graph.node)
      node.output = node.output.map((name) => (name === 'logits' ? 'renamed' : name));
    const session = await GraphSession.open(first, { device: 'cpu', threads: 1 });
    const waiting = Promise.allSettled(Array.from({ length: 20 }, () => session.run(feeds(1, 1))));
    const closing = session.close();
    const late = rejection(session.run(feeds(1, 1)), Error);
    await closing;
    const next = await GraphSession.open(other, { device: 'cpu', threads: 1 });
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, i) => next.run(feeds(1 + (i % 3), i + 1))),
    );
    results.forEach((outputs, i) => {
      expect(Object.keys(outputs)).to.deep.equal(['renamed']);
      expect(outputs.renamed.shape).to.deep.equal([1 + (i % 3), 5]);
    });
    for (const run of await waiting)
      if (run.status === 'fulfilled') expect(run.value.logits.shape).to.deep.equal([1, 5]);
      else expect(run.reason.message).to.match(/closed|disposed/);
    expect((await late).message).to.equal('the session was closed');
    await next.close();
  });

  it('does not keep the process from ending where it is left open', async () => {
    const [library, backbone] = ['dist/src/index.js', 'data/demo/backbone.onnx'].map(
      (file) => new URL(file, packageRoot),
    );
    const script = `
      import { GraphSession } from ${JSON.stringify(library.href)};
      const session = await GraphSession.open(${JSON.stringify(fileURLToPath(backbone))}, { device: 'cpu' });
      const input = { dtype: 'float32', shape: [1, 3, 32, 32], data: new Float32Array(3072) };
      const { logits } = await session.run({ input });
      console.log(logits.shape.join());`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
    expect(stdout).to.equal('1,10\n');
  });

  it('says which device is not there, and falls back only where none is named', async () => {
    const unknown = process.platform === 'darwin' ? 'dml' : 'coreml';
    const { message } = await rejection(GraphSession.open(model, { device: unknown }), DeviceError);
    expect(message).to.equal(
      `\`device: ${unknown}\`: this onnxruntime was built without it; la-ood doctor lists what is there`,
    );
    const session = await GraphSession.open(model);
    expect(session.device).to.be.oneOf(['cpu', 'cuda']);
    await session.close();
  });

  it('says what onnxruntime has against a graph', async () => {
    const broken = smallNet();
    broken.graph.node[0].opType = 'Convolve';
    expect((await rejection(GraphSession.open(broken, { device: 'cpu' }), Error)).message).to.include(
      'Convolve',
    );
  });
});
