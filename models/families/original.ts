import type { Architecture, Family } from '../architecture.ts';
import { cifarResnet } from '../cifar-resnet.ts';
import { densenet } from '../densenet.ts';
import { resnet } from '../resnet.ts';
import { vgg } from '../vgg.ts';
import type { PublishedFamily, Reading } from './family.ts';

/** The networks that the original has, and that are trained here. */
export const originals: readonly Family[] = [vgg, resnet, cifarResnet, densenet];

/** An original network that weights are read as. */
export interface OriginalReading extends Reading {
  readonly original: Architecture;
}

/** The original's networks among the families: their names stand alone, without that of a family. */
export const original: readonly PublishedFamily[] = originals.map((family) => ({
  name: '',
  read(shapes): OriginalReading | undefined {
    const name = family.recognize(shapes);
    const architecture = name === undefined ? undefined : family.named(name);
    const classes = architecture && shapes.get(`${architecture.head}.weight`)?.[0];
    if (!architecture || !classes) return undefined;
    return {
      original: architecture,
      architecture: architecture.name,
      classes,
      activation: 'relu',
      assumptions: ["the original's network: activation relu, no pool behind the stem, eps 1e-5"],
      build: (network, image) => architecture.write(network, image, classes),
    };
  },
  input: (reading) => ({
    ...(reading as OriginalReading).original.defaultNormalization,
    geometry: { height: 32, width: 32 },
  }),
}));
