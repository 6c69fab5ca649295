import type { Layer } from '../scored-set.ts';

/** Room for so many numbers below pictures that have a column for each layer. */
const MOST = 8;

/** From so many layers on, a column is narrower than its number. */
const NARROW = 30;

/**
 * What stands below pictures that have a column for each layer, stretched to whatever width there is: the numbers of the
 * layers, from 1 as in every table.
 */
export function layerAxis(layers: readonly Layer[]): string {
  const step = [1, 2, 5, 10, 20, 50, 100].find((each) => layers.length / each <= MOST) ?? layers.length;
  const shown = layers.flatMap((layer, at) => {
    const number = layer.index + 1;
    const isEnd = at === 0 || at === layers.length - 1;
    const isRound = number % step === 0 && at > step / 2 && at < layers.length - 1 - step / 2;
    if (!isEnd && !isRound) return [];
    const left = (100 * (at + 0.5)) / layers.length;
    // Where columns are narrow, the numbers at the ends would stand out.
    const end = layers.length > NARROW && isEnd ? ` class="${at === 0 ? 'first' : 'last'}"` : '';
    return [`<span${end} style="left:${left.toFixed(2)}%">${number}</span>`];
  });
  return `<div class="ticks" aria-hidden="true">${shown.join('')}</div>`;
}

/** A picture with a column for each layer, one unit wide, that is stretched sideways. */
export function layerPicture(layers: number, height: number, title: string, content: string): string {
  return `<svg class="stretched" viewBox="0 0 ${layers} ${height}" preserveAspectRatio="none" role="img">${title}${content}</svg>`;
}
