/**
 * Signed distance, in units of the shape's radius, from a point in the shape's own frame: negative inside. Exact
 * near the outline, which is all that drawing needs; y points down.
 */
export type Shape = (x: number, y: number) => number;

/** What the demo's classifier knows, in label order. */
export const knownShapes: Readonly<Record<string, Shape>> = {
  disc: (x, y) => Math.hypot(x, y) - 0.9,
  ring: (x, y) => Math.abs(Math.hypot(x, y) - 0.72) - 0.24,
  square: (x, y) => box(x, y, 0.78, 0.78),
  triangle: (x, y) => polygon(x, y, 3, 0.52),
  star: (x, y) => star(x, y, 5, 0.42),
  cross: (x, y) => Math.min(box(x, y, 0.95, 0.3), box(x, y, 0.3, 0.95)),
  heart: (x, y) => heart(x, y),
  crescent: (x, y) => Math.max(Math.hypot(x, y) - 0.95, 0.78 - Math.hypot(x - 0.42, y)),
  bar: (x, y) => box(x, y, 1.1, 0.28),
  hourglass: (x, y) => Math.max(Math.abs(y) - 0.85, (Math.abs(x) - Math.abs(y) * 0.85 - 0.1) * 0.76),
};

/** Drawn in the same style and never trained on: the hardest OOD set. */
export const unknownShapes: Readonly<Record<string, Shape>> = {
  arrow: (x, y) => Math.min(box(x, y - 0.4, 0.2, 0.6), polygon(x, y + 0.4, 3, 0.35)),
  corner: (x, y) => Math.min(box(x + 0.55, y, 0.28, 0.9), box(x, y - 0.62, 0.83, 0.28)),
  gear: (x, y) => Math.max(star(x, y, 8, 0.7), 0.3 - Math.hypot(x, y)),
  drop: (x, y) => Math.min(Math.hypot(x, y - 0.3) - 0.6, wedge(x, y)),
  half: (x, y) => Math.max(Math.hypot(x, y + 0.4) - 1, -(y + 0.4)),
  horseshoe: (x, y) =>
    Math.max(Math.abs(Math.hypot(x, y) - 0.7) - 0.25, 0.35 - Math.max(Math.abs(x), -y - 0.2)),
  tee: (x, y) => Math.min(box(x, y + 0.6, 0.9, 0.26), box(x, y, 0.26, 0.86)),
  zigzag: (x, y) => Math.max(box(x, y, 1.05, 0.8), (Math.abs(y - 0.5 * zig(x)) - 0.28) * 0.7),
};

/** A rectangle of these half sides. */
function box(x: number, y: number, halfWidth: number, halfHeight: number): number {
  return Math.max(Math.abs(x) - halfWidth, Math.abs(y) - halfHeight);
}

/** A regular polygon with the given inner radius, one corner up. */
function polygon(x: number, y: number, sides: number, inner: number): number {
  const sector = (2 * Math.PI) / sides;
  const angle = Math.atan2(x, y);
  const toSide = angle - sector * Math.round(angle / sector);
  return Math.hypot(x, y) * Math.cos(toSide) - inner;
}

/** A star whose points reach 1 and whose notches reach `notch`. */
function star(x: number, y: number, points: number, notch: number): number {
  const half = Math.PI / points;
  const angle = Math.atan2(x, -y);
  const fromPoint = Math.abs(angle - 2 * half * Math.round(angle / (2 * half)));
  const radius = Math.hypot(x, y);
  // The edge runs from the point (1, 0) to the notch, in the frame of the nearest point.
  const dx = notch * Math.cos(half) - 1;
  const dy = notch * Math.sin(half);
  const cross = (radius * Math.cos(fromPoint) - 1) * dy - radius * Math.sin(fromPoint) * dx;
  return cross / Math.hypot(dx, dy);
}

/** Two discs over a corner. */
function heart(x: number, y: number): number {
  const side = Math.abs(x);
  const lobes = Math.hypot(side - 0.42, y + 0.3) - 0.48;
  const tip = Math.max((side + y) * Math.SQRT1_2 - 0.62, -y - 0.3, side - 0.9);
  return Math.min(lobes, tip);
}

/** The tip of a drop, above its disc. */
function wedge(x: number, y: number): number {
  return Math.max(Math.abs(x) * 0.89 - (y + 1.05) * 0.45, y - 0.03);
}

/** A triangle wave between -1 and 1. */
function zig(x: number): number {
  const phase = x * 1.5 - Math.floor(x * 1.5);
  return 4 * Math.abs(phase - 0.5) - 1;
}
