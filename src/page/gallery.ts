import type { Calibration } from '../evaluation/conformal.ts';
import { isOod } from './decision.ts';
import { byId, element } from './elements.ts';
import type { Scored } from './scorer.ts';

/** An image that was given to the page. */
export interface Entry {
  readonly name: string;
  /** Of the file, in this browser's memory. */
  readonly url: string;
  scored?: Scored;
  error?: string;
}

/** All images that were given, as buttons in a row; one of them is selected. */
export class Gallery {
  readonly #tiles = new Map<Entry, HTMLButtonElement>();
  readonly #onSelect: (entry: Entry) => void;
  #selected: Entry | undefined;

  constructor(onSelect: (entry: Entry) => void) {
    this.#onSelect = onSelect;
  }

  get entries(): readonly Entry[] {
    return [...this.#tiles.keys()];
  }

  get selected(): Entry | undefined {
    return this.#selected;
  }

  add(file: File): Entry {
    const entry: Entry = { name: file.name, url: URL.createObjectURL(file) };
    const tile = element('button', { type: 'button', class: 'tile', 'aria-pressed': 'false' });
    tile.addEventListener('click', () => this.select(entry));
    this.#tiles.set(entry, tile);
    byId('tiles').append(element('li', {}, tile));
    byId('results').hidden = false;
    return entry;
  }

  select(entry: Entry): void {
    if (this.#selected) this.#tiles.get(this.#selected)?.setAttribute('aria-pressed', 'false');
    this.#selected = entry;
    this.#tiles.get(entry)?.setAttribute('aria-pressed', 'true');
    this.#onSelect(entry);
  }

  /** Draws an image's tile again, by a decision. */
  update(entry: Entry, calibration: Calibration): void {
    const tile = this.#tiles.get(entry);
    if (!tile) return;
    const { name, url, scored, error } = entry;
    const badge = verdict(entry, calibration);
    const picture = error
      ? element('span', { class: 'missing', 'aria-hidden': 'true' }, '!')
      : element('img', { src: url, alt: '', class: isSmall(scored) ? 'small' : undefined });
    tile.replaceChildren(
      picture,
      element('span', { class: `badge ${badge.toLowerCase()}` }, badge),
      element('span', { class: 'file' }, name),
    );
  }

  clear(): void {
    for (const { url } of this.#tiles.keys()) URL.revokeObjectURL(url);
    this.#tiles.clear();
    this.#selected = undefined;
    byId('tiles').replaceChildren();
    byId('results').hidden = true;
  }
}

/** One word for an image. */
export function verdict(
  { scored, error }: Entry,
  calibration: Calibration,
): 'OOD' | 'InD' | 'Error' | 'Waiting' {
  if (error !== undefined) return 'Error';
  if (!scored) return 'Waiting';
  return isOod(scored.answer, calibration) ? 'OOD' : 'InD';
}

/** Whether an image is shown larger than it is, pixel by pixel. */
export function isSmall(scored: Scored | undefined): boolean {
  return scored !== undefined && Math.max(scored.stored.height, scored.stored.width) <= 96;
}
