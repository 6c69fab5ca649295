import { type FeatureReport, printable } from '../index.ts';
import { columns, duration } from './terminal-text.ts';

/** What became of sets of images, for people: a line a set, and what was left out of them. */
export function featureTable(reports: readonly FeatureReport[]): string {
  return [table(reports), ...left(reports)].join('\n');
}

/** What was left out of the sets, a line each. */
function left(reports: readonly FeatureReport[]): string[] {
  return reports
    .filter(({ skipped }) => skipped?.length)
    .map(({ set, images, skipped = [] }) => {
      const some = skipped.slice(0, 5).map((name) => printable(name));
      const names = `${some.join(', ')}${skipped.length > some.length ? ', …' : ''}`;
      return `Skipped ${skipped.length} of ${images + skipped.length} images of ${set}, which cannot be decoded: ${names}.`;
    });
}

function table(reports: readonly FeatureReport[]): string {
  const isAnyLeftOut = reports.some(({ leftOut }) => leftOut);
  return columns(
    ['set', 'images', ...(isAnyLeftOut ? ['left out'] : []), 'accuracy', 'device', 'time'],
    reports.map(({ set, images, leftOut = 0, accuracy, device, seconds, done }) => [
      set,
      images,
      ...(isAnyLeftOut ? [leftOut] : []),
      accuracy === undefined ? '' : `${(100 * accuracy).toFixed(2)} %`,
      device ?? '',
      done === 'now' ? duration(seconds) : 'done before',
    ]),
  );
}
