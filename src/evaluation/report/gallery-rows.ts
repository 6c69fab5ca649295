import { linePath, short } from '../axes.ts';
import { quantile } from '../bootstrap.ts';
import type { Layer, ScoredSet } from '../scored-set.ts';
import { escapeXml } from '../svg.ts';
import { count, share } from './html.ts';
import type { Gallery, GalleryImage } from './report-content.ts';

/** Height of a profile in its own units; its width is the number of layers. */
const HEIGHT = 60;

/** What is usual for InD images: of each layer the scores that 5 % of them are below and above. */
export interface UsualScores {
  readonly low: Float64Array;
  readonly high: Float64Array;
}

export function usualScores(ind: ScoredSet): UsualScores {
  const ascending = ind.layers.map((scores) => scores.slice().sort());
  return {
    low: Float64Array.from(ascending, (scores) => quantile(scores, 0.05)),
    high: Float64Array.from(ascending, (scores) => quantile(scores, 0.95)),
  };
}

/** Two rows of images: those that LA-OOD finds least like the set they belong to, and those that it finds most like it. */
export interface GalleryWords {
  readonly id: string;
  readonly lowest: string;
  readonly highest: string;
  /** Whether the row of the highest scores comes first. */
  readonly highestFirst?: boolean;
}

/** The images of a set that have the lowest and the highest scores, each with its score by every layer. */
export function galleryRows(
  gallery: Gallery,
  layers: readonly Layer[],
  usual: UsualScores,
  words: GalleryWords,
): string {
  const images = [...gallery.lowest, ...gallery.highest];
  if (images.length === 0) return '';
  // Layers whose scores reach far lower than most would flatten all that matters.
  const low = quantile(usual.low.slice().sort(), 0.1);
  const high = Math.max(...usual.high, ...images.flatMap(({ profile }) => Array.from(profile)));
  const y = (value: number) => HEIGHT - (HEIGHT * (Math.max(value, low) - low)) / (high - low || 1);
  const band = [
    ...Array.from(usual.high, (value, l) => [l + 0.5, y(value)] as const),
    ...Array.from(usual.low, (value, l) => [l + 0.5, y(value)] as const).reverse(),
  ];
  const shared = `<svg class="defs" aria-hidden="true"><defs><g id="${words.id}-usual"><path class="usual" d="${linePath(band)}Z"/><path class="axis" d="M0 ${short(y(0))}H${layers.length}"/></g></defs></svg>`;
  const row = (title: string, shown: readonly GalleryImage[]) =>
    `<h4>${title}</h4><ul class="gallery">${shown.map((image) => tile(image, gallery.set, layers, y, words.id)).join('')}</ul>`;
  const rows = [row(words.lowest, gallery.lowest), row(words.highest, gallery.highest)];
  const missing = gallery.missing
    ? `<p class="missing">The pictures of ${escapeXml(gallery.set)} are not shown: ${escapeXml(gallery.missing)}. The numbers below are of the features that were computed of them.</p>`
    : '';
  return `<div class="images">${shared}${missing}${(words.highestFirst ? rows.reverse() : rows).join('')}
<p class="caption">Of ${count(gallery.count)} images, by LA-OOD’s score. Line: the image’s score in each layer, from the first to the last; dot: the highest, which is LA-OOD’s. Band: where 90 % of the InD images are; above the thin line a layer rejects. Arrow: what the classifier takes the image for.</p></div>`;
}

function tile(
  image: GalleryImage,
  set: string,
  layers: readonly Layer[],
  y: (value: number) => number,
  id: string,
): string {
  const { index, name, picture, profile, predicted, confidence, actual } = image;
  let top = 0;
  for (let l = 1; l < profile.length; l++) if (profile[l] > profile[top]) top = l;
  const called = escapeXml(`${set}, ${name ?? `image ${index}`}`);
  const points = Array.from(profile, (value, l) => [l + 0.5, y(value)] as const);
  const [x, dot] = points[top];
  const drawn = `<use href="#${id}-usual"/><path class="profile" d="${linePath(points)}"/><path class="dot" d="M${short(x)} ${short(dot)}h0"/>`;
  const layer = layers[top];
  const score = profile[top].toFixed(3).replace('-', '−');
  const fired = `<b title="score">${score}</b><br><span title="${escapeXml(layer.name)}">layer ${layer.index + 1}</span>`;
  const taken =
    predicted === undefined
      ? ''
      : `→ ${escapeXml(predicted)}${confidence === undefined ? '' : ` ${share(confidence, 0)}`}`;
  const truth = actual === undefined || actual === predicted ? '' : ` (is ${escapeXml(actual)})`;
  const shown = picture
    ? `<img src="${picture}" alt="${called}" title="${called}" width="64" height="64">`
    : `<div class="no-picture" title="${called}">no. ${count(index + 1)}</div>`;
  return `<li>${shown}<div class="words">${fired}</div><div class="words called">${taken}${truth}</div><svg class="stretched" viewBox="0 0 ${layers.length} ${HEIGHT}" preserveAspectRatio="none" role="img"><title>${called}: score in each layer; highest ${score} in layer ${layer.index + 1}, ${escapeXml(layer.name)}</title>${drawn}</svg></li>`;
}
