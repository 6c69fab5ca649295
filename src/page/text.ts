/** A share as `5 %`, `0.2 %`, `99.83 %`: no more digits than it has, and two after the point at most. */
export function percent(share: number): string {
  return `${Number((100 * share).toFixed(2))} %`;
}

/** A score as `la-ood score` prints it. */
export function score(value: number): string {
  return Number.isNaN(value) ? 'no number' : value.toFixed(3).replace('-', '−');
}

export function milliseconds(value: number): string {
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

export function plural(count: number, noun: string): string {
  return `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`;
}
