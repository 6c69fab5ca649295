import { createHash } from 'node:crypto';
import { DataError } from '../../src/common/errors.ts';
import type { RandomState } from '../../src/common/random.ts';
import { nearestName } from '../../src/common/suggest.ts';
import { imageRandom } from '../image-random.ts';
import type { ImageSet, ImageSize } from '../image-set.ts';
import { resizeEach } from '../resample.ts';
import { knownShapes, type Shape, unknownShapes } from './demo-shapes.ts';
import { drawScene, drawTexture, SIDE } from './draw.ts';
import { texture } from './textures.ts';

/** The drawn images are 32 × 32; other sizes are resampled from that. */
export const demoSize: ImageSize = { height: SIDE, width: SIDE };

/** How a demo set is drawn. */
export interface DemoOptions {
  readonly name?: string;
  /** Number of images; the first ones are the same whatever their number. 3,000 for `train`, else 1,000. */
  readonly count?: number;
  /** Another seed gives other images of the same kind; 0 if not given. */
  readonly seed?: number;
}

/**
 * A set of the built-in demo, drawn when it is read, the same on every machine. `train` and `test` are InD, ten
 * shapes in turn as classes; the others are OOD.
 *
 * @param which one of `demoSetNames`
 * @throws DataError where there is no such set
 */
export function demoSet(which: string, options: DemoOptions = {}): ImageSet {
  if (!isDemoName(which)) throw unknownSet(which);
  const { stream, inDistribution, draw: drawWith }: Recipe = recipes[which];
  const name = options.name ?? (inDistribution ? `demo_${which}` : which);
  const { count: length = which === 'train' ? 3000 : 1000, seed = 0 } = options;
  const draw = (index: number) => drawWith(imageRandom(seed, stream, index), index);
  return {
    name,
    length,
    classes: inDistribution ? Object.keys(knownShapes) : undefined,
    label: (index) => (inDistribution ? index % known.length : undefined),
    imageName: String,
    async fingerprint() {
      const hash = createHash('sha256').update(`demo:${which} seed ${seed} count ${length}`);
      // The drawing code is part of what the images are: a change of it shows in the first of each kind.
      for (let index = 0; index < Math.min(length, 20); index++) hash.update(draw(index));
      return hash.digest('hex');
    },
    async read(start, count, size) {
      const pixels = new Uint8Array(3 * count * SIDE * SIDE);
      for (let i = 0; i < count; i++) pixels.set(draw(start + i), 3 * i * SIDE * SIDE);
      return resizeEach(pixels, count, demoSize, size);
    },
  };
}

/**
 * What there is to open: the two InD sets, then the OOD sets.
 *
 * @example
 * ```ts
 * import { demoSetNames, openImageSet } from 'la-ood/guard';
 *
 * for (const name of demoSetNames()) console.log(name, (await openImageSet(`demo:${name}`)).length);
 * ```
 */
export function demoSetNames(): DemoSetName[] {
  return Object.keys(recipes) as DemoSetName[];
}

function isDemoName(which: string): which is DemoSetName {
  return Object.hasOwn(recipes, which);
}

function unknownSet(which: string): DataError {
  const names = demoSetNames();
  const near = nearestName(which, names);
  const remedy = near ? `did you mean demo:${near}?` : `there are ${names.join(', ')}`;
  return new DataError(`demo:${which}`, 'there is no such demo set', remedy);
}

/** A set of the built-in demo. */
interface Recipe {
  /** Sets this set's images apart from those of the others: demo sets have 1 … 15. */
  readonly stream: number;
  /** The ten known shapes, as they are trained on. */
  readonly inDistribution?: true;
  draw(random: RandomState, index: number): Uint8Array;
}

const known = Object.values(knownShapes);
const unknown = Object.values(unknownShapes);
const inTurn = (shapes: readonly Shape[], index: number) => shapes[index % shapes.length];
const drawKnown = (random: RandomState, index: number) => drawScene(inTurn(known, index), random);

const recipes = {
  train: { stream: 1, inDistribution: true, draw: drawKnown },
  test: { stream: 2, inDistribution: true, draw: drawKnown },
  /** Every byte uniformly random. */
  noise: {
    stream: 3,
    draw: (random) => Uint8Array.from({ length: 3 * SIDE * SIDE }, () => random.integer(255)),
  },
  /** Patterns over the whole image. */
  textures: { stream: 4, draw: (random) => drawTexture(texture(random), random) },
  /** The known shapes with a fifth of their contrast. */
  faded: { stream: 5, draw: (random, index) => drawScene(inTurn(known, index), random, { fade: 5 }) },
  /** The known shapes, filled with patterns. */
  patterned: {
    stream: 6,
    draw: (random, index) => drawScene(inTurn(known, index), random, { fill: texture }),
  },
  /** The background alone. */
  blank: { stream: 7, draw: (random) => drawScene(() => 1, random) },
  /** Shapes that were not trained on, in the same style. */
  shapes: { stream: 8, draw: (random, index) => drawScene(inTurn(unknown, index), random) },
} satisfies Record<string, Recipe>;

/** The name of a built-in demo set. */
export type DemoSetName = keyof typeof recipes;
