import { createHash } from 'node:crypto';
import type { Network } from '../network.ts';

/** A text that is the same for networks that compute the same of the same weights, whatever their values are called. */
export function signature({ graph, constants }: Network): string {
  const signed = new Map<string, string>();
  const of = (name: string) => {
    const constant = constants.get(name);
    return constant
      ? hash(constant.shape, Buffer.from(constant.data.buffer).toString('base64'))
      : (signed.get(name) ?? name);
  };
  for (const { opType, input, output, attribute } of graph.nodes) {
    // Nothing in inference.
    const value = opType === 'Dropout' ? of(input[0]) : hash(opType, input.map(of), attribute);
    signed.set(output[0], value);
  }
  return of('logits');
}

function hash(...parts: unknown[]): string {
  const text = JSON.stringify(parts, (_, value) => (typeof value === 'bigint' ? String(value) : value));
  return createHash('sha1').update(text).digest('hex');
}
