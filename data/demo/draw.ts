import type { RandomState } from '../../src/common/random.ts';
import type { Shape } from './demo-shapes.ts';

/** Height and width of every demo image. */
export const SIDE = 32;

/** A colour at each point of an image, coordinates in pixels; writes red, green, blue at `at`. */
export type Paint = (x: number, y: number, pixels: Float32Array, at: number) => void;

/** How much a drawn scene departs from the one that the classifier is trained on. */
export interface Style {
  /** Paints the shape; a gradient of one colour if not given. */
  readonly fill?: (random: RandomState) => Paint;
  /** Divides the contrast of the whole image, about its mean; 1 if not given. */
  readonly fade?: number;
}

/**
 * Draws a shape at a random place, size, angle and proportion, over a shaded background with some clutter, and noise on top.
 * Everything is drawn from `random`, in a fixed order.
 *
 * @returns 32 × 32 × 3 bytes
 */
export function drawScene(shape: Shape, random: RandomState, style: Style = {}): Uint8Array {
  const pixels = new Float32Array(SIDE * SIDE * 3);
  const ground = randomColor(random);
  const paintGround = gradient(ground, random, 40);
  const paintShape = style.fill ? style.fill(random) : gradient(contrasting(ground, random), random, 25);
  cover(pixels, () => 1, paintGround);
  for (let i = random.integer(2); i > 0; i--) scratch(pixels, random);
  cover(pixels, coverage(shape, random), paintShape);
  if (style.fade) fade(pixels, style.fade);
  return finish(pixels, random);
}

/** Paints a whole image, with the same noise on top as a scene has. */
export function drawTexture(paint: Paint, random: RandomState): Uint8Array {
  const pixels = new Float32Array(SIDE * SIDE * 3);
  cover(pixels, () => 1, paint);
  return finish(pixels, random);
}

/** A colour that is uniform over the cube, but for its dark and bright ends. */
export function randomColor(random: RandomState): number[] {
  return [20 + 215 * random.random(), 20 + 215 * random.random(), 20 + 215 * random.random()];
}

/** A number in [low, high). */
export function between(random: RandomState, low: number, high: number): number {
  return low + (high - low) * random.random();
}

/** Blends `paint` into the image by how much of each pixel is covered, 0 … 1. */
function cover(pixels: Float32Array, covered: (x: number, y: number) => number, paint: Paint): void {
  const color = new Float32Array(3);
  for (let y = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) {
      const share = covered(x, y);
      if (share === 0) continue;
      paint(x, y, color, 0);
      const at = 3 * (y * SIDE + x);
      for (let c = 0; c < 3; c++) pixels[at + c] += share * (color[c] - pixels[at + c]);
    }
  }
}

/** How much of each pixel the shape covers, once it is placed: one pixel of soft edge. */
function coverage(shape: Shape, random: RandomState): (x: number, y: number) => number {
  const radius = between(random, 4.5, 12);
  const stretch = between(random, 0.85, 1.18);
  const margin = 0.8 * radius;
  const centerX = between(random, margin, SIDE - margin);
  const centerY = between(random, margin, SIDE - margin);
  const angle = between(random, -Math.PI, Math.PI);
  const cos = Math.cos(angle) / radius;
  const sin = Math.sin(angle) / radius;
  const reach = (1.5 * radius) ** 2;
  return (x, y) => {
    const dx = x - centerX;
    const dy = y - centerY;
    if (dx * dx + dy * dy > reach) return 0;
    const distance = shape((cos * dx + sin * dy) * stretch, (cos * dy - sin * dx) / stretch);
    return Math.min(1, Math.max(0, 0.5 - distance * radius));
  };
}

/** A colour that can be told from `ground`, sometimes only just. */
function contrasting(ground: readonly number[], random: RandomState): number[] {
  for (;;) {
    const color = randomColor(random);
    if (Math.hypot(color[0] - ground[0], color[1] - ground[1], color[2] - ground[2]) > 55) return color;
  }
}

/** `color`, shaded along a random direction by up to `strength` either way, a little differently in each channel. */
function gradient(color: readonly number[], random: RandomState, strength: number): Paint {
  const angle = between(random, -Math.PI, Math.PI);
  const slopes = color.map(() => (between(random, 0, strength) * 2) / SIDE);
  const cos = Math.cos(angle);
  const sin = Math.sin(angle);
  const middle = (SIDE - 1) / 2;
  return (x, y, pixels, at) => {
    const along = cos * (x - middle) + sin * (y - middle);
    for (let c = 0; c < 3; c++) pixels[at + c] = color[c] + slopes[c] * along;
  };
}

/** A thin line from side to side, so that not every edge belongs to the shape. */
function scratch(pixels: Float32Array, random: RandomState): void {
  const color = randomColor(random);
  const angle = between(random, -Math.PI, Math.PI);
  const cos = Math.cos(angle);
  const sin = Math.sin(angle);
  const offset = between(random, -12, 12);
  const halfWidth = between(random, 0.3, 0.9);
  const middle = (SIDE - 1) / 2;
  const covered = (x: number, y: number) =>
    Math.min(1, Math.max(0, halfWidth + 0.5 - Math.abs(cos * (x - middle) + sin * (y - middle) - offset)));
  cover(pixels, covered, (_x, _y, to, at) => to.set(color, at));
}

function fade(pixels: Float32Array, divisor: number): void {
  const mean = pixels.reduce((sum, value) => sum + value, 0) / pixels.length;
  for (let i = 0; i < pixels.length; i++) pixels[i] = mean + (pixels[i] - mean) / divisor;
}

/** Adds nearly normal noise of a random strength, and rounds to bytes. */
function finish(pixels: Float32Array, random: RandomState): Uint8Array {
  const strength = between(random, 2, 20);
  const bytes = new Uint8Array(pixels.length);
  for (let i = 0; i < pixels.length; i++) {
    // The sum of four uniform bytes: mean 510, standard deviation 147.8, and one draw instead of many.
    const bits = random.uint32();
    const sum = (bits & 255) + ((bits >>> 8) & 255) + ((bits >>> 16) & 255) + (bits >>> 24);
    bytes[i] = Math.max(0, Math.min(255, Math.round(pixels[i] + (strength * (sum - 510)) / 147.8)));
  }
  return bytes;
}
