import type { RandomState } from '../../src/common/random.ts';
import { between, type Paint, randomColor } from './draw.ts';

/** A pattern over the whole image in two colours: nothing that the classifier has seen. */
export function texture(random: RandomState): Paint {
  const patterns = [stripes, checks, dots, rings, marble];
  const share = patterns[random.integer(patterns.length - 1)](random);
  const one = randomColor(random);
  const other = randomColor(random);
  return (x, y, pixels, at) => {
    const mix = share(x, y);
    for (let c = 0; c < 3; c++) pixels[at + c] = one[c] + mix * (other[c] - one[c]);
  };
}

/** How much of the second colour a point has, 0 … 1. */
type Pattern = (x: number, y: number) => number;

function stripes(random: RandomState): Pattern {
  const [u, phase] = [wave(random), between(random, 0, 6.28)];
  return (x, y) => soft(Math.sin(u(x, y) + phase));
}

function checks(random: RandomState): Pattern {
  const u = wave(random);
  return (x, y) => soft(Math.sin(u(x, y)) * Math.sin(u(-y, x)) * 2);
}

function dots(random: RandomState): Pattern {
  const u = wave(random);
  const level = between(random, 0.2, 1);
  return (x, y) => soft(Math.cos(u(x, y)) + Math.cos(u(-y, x)) - level);
}

function rings(random: RandomState): Pattern {
  const frequency = between(random, 0.6, 1.6);
  const [centerX, centerY] = [between(random, -8, 40), between(random, -8, 40)];
  return (x, y) => soft(Math.sin(Math.hypot(x - centerX, y - centerY) * frequency));
}

function marble(random: RandomState): Pattern {
  const waves = Array.from({ length: 4 }, () => wave(random));
  return (x, y) => {
    let [warpX, warpY] = [x, y];
    for (const u of waves) {
      const bend = Math.sin(u(warpX, warpY));
      warpX += 2 * bend;
      warpY -= 2 * bend;
    }
    return soft(Math.sin(waves[0](warpX, warpY)));
  };
}

/** The phase of a plane wave of 4 to 14 pixels' length in a random direction. */
function wave(random: RandomState): (x: number, y: number) => number {
  const angle = between(random, -Math.PI, Math.PI);
  const frequency = (2 * Math.PI) / between(random, 4, 14);
  const cos = Math.cos(angle) * frequency;
  const sin = Math.sin(angle) * frequency;
  return (x, y) => cos * x + sin * y;
}

/** A step at 0 with soft sides. */
function soft(value: number): number {
  return Math.min(1, Math.max(0, 0.5 + 1.5 * value));
}
