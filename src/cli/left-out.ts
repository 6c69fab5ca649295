import { type LeftOut, type OnLeftOut, printable } from '../index.ts';
import { plural } from './terminal-text.ts';

/** Files that are named, of each set; `--json` has all. */
const NAMED = 10;

/** The files of a command's sets of images that were not read. */
export class LeftOutFiles {
  /** By the set as it was typed: a command may open one twice. */
  readonly #sets = new Map<string, readonly LeftOut[]>();

  readonly take: OnLeftOut = (set, files) => this.#sets.set(set, files);

  get isEmpty(): boolean {
    return this.#sets.size === 0;
  }

  /** For machines: nothing where there are none. */
  result(): { leftOut?: readonly { set: string; count: number; files: readonly LeftOut[] }[] } {
    if (this.isEmpty) return {};
    return { leftOut: Array.from(this.#sets, ([set, files]) => ({ set, count: files.length, files })) };
  }

  /** A line for each set: how many they are, and which. */
  lines(): string[] {
    return Array.from(this.#sets, ([set, files]) => {
      const named = files.slice(0, NAMED).map(({ name, kind }) => `${printable(name)} (${kind})`);
      const more = files.length > NAMED ? ` and ${files.length - NAMED} more` : '';
      return `Left out of ${set}: ${plural(files.length, 'file')} not read: ${named.join(', ')}${more}.`;
    });
  }
}
