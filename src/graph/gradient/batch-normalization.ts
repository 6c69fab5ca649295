import { attribute } from '../attributes.ts';
import { float } from '../builder.ts';
import { makeNode } from '../make.ts';
import type { Rule } from './rule.ts';

/**
 * BatchNormalization by the batch's statistics. The running ones move as in PyTorch: the variance that they follow is
 * divided by n − 1, the one that normalises by n. ONNX's momentum is the share of the old ones, PyTorch's that of the new.
 */
export const batchNormalization: Rule = {
  forward({ node, write, kept, update, shape }) {
    const [x, scale, offset, runningMean, runningVariance] = node.input;
    const [mean, variance] = [write.name('mean'), write.name('variance')];
    const attributes = {
      epsilon: float(attribute(node, 'epsilon')?.f ?? 1e-5),
      training_mode: 1,
      // None of the old ones: what comes out is the batch's.
      momentum: float(0),
    };
    // onnxruntime writes the batch's statistics over the running ones that it is given, and these are needed below. What it
    // is given instead must be two values that no optimisation makes one.
    const given = [scale, offset].map((value) => write.node('Sub', [value, value]));
    const inputs = [x, scale, offset, ...given];
    const normalize = makeNode('BatchNormalization', inputs, node.output[0], attributes);
    write.nodes.push({ ...normalize, output: [node.output[0], mean, variance] });
    kept.set('mean', mean);
    kept.set('variance', variance);

    const momentum = attribute(node, 'momentum')?.f ?? 0.9;
    const [, , ...places] = shape(0) as number[];
    const values = write.node('Mul', [
      write.sizeOf(x, 0),
      write.floats(places.reduce((product, size) => product * size, 1)),
    ]);
    const correction = write.node('Div', [
      write.node('Mul', [values, write.floats(1 - momentum)]),
      write.node('Max', [write.node('Sub', [values, write.floats(1)]), write.floats(1)]),
    ]);
    const moved = (old: string, batch: string, share: string) =>
      write.node('Add', [
        write.node('Mul', [old, write.floats(momentum)]),
        write.node('Mul', [batch, share]),
      ]);
    update(runningMean, moved(runningMean, mean, write.floats(1 - momentum)));
    update(runningVariance, moved(runningVariance, variance, correction));
  },

  /**
   * With x̂ = (x − μ) / σ: dγ = Σ dy x̂, dβ = Σ dy, and dx = γ / σ (dy − mean(dy) − x̂ mean(dy x̂)). What is added for
   * each x − μ and for each channel is one affine function, which is what BatchNormalization computes by given statistics.
   */
  backward({ node, write, kept, wants, shape }, dy) {
    const [x, scale] = node.input;
    const [, channels, ...places] = shape(0) as number[];
    const others = [0, ...places.map((_, axis) => axis + 2)];
    const perChannel = [channels, ...places.map(() => 1)];
    const epsilon = write.floats(attribute(node, 'epsilon')?.f ?? 1e-5);
    const spread = write.node('Sqrt', [write.node('Add', [kept.get('variance')!, epsilon])]);
    const centered = write.node('Sub', [x, write.reshape(kept.get('mean')!, perChannel)]);
    const products = write.node('Mul', [dy, centered]);
    const sum = write.sum(dy, others);
    const scaleGradient = write.node('Div', [write.sum(products, others), spread]);
    if (!wants(0)) return [undefined, scaleGradient, sum];

    const values = write.node('Mul', [
      write.sizeOf(x, 0),
      write.floats(places.reduce((product, size) => product * size, 1)),
    ]);
    const factor = write.node('Div', [scale, spread]);
    const share = write.node('Neg', [write.node('Div', [factor, values])]);
    const slope = write.node('Div', [write.node('Mul', [share, scaleGradient]), spread]);
    const offset = write.node('Mul', [share, sum]);
    const [none, one] = [0, 1].map((value) => write.floats(Array(channels).fill(value), [channels]));
    const affine = write.node('BatchNormalization', [centered, slope, offset, none, one], {
      epsilon: float(0),
    });
    const scaled = write.node('Mul', [dy, write.reshape(factor, perChannel)]);
    return [write.node('Add', [scaled, affine]), scaleGradient, sum];
  },
};
