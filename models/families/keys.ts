import type { Shapes } from '../weights.ts';

/** A way to read the keys of a file: the network's own key for each. */
export type Renaming = ReadonlyMap<string, string>;

/** Modules that wrap others and do nothing themselves, at whatever depth: DataParallel's, torch.compile's, FSDP's. */
const transparent = new Set(['module', '_orig_mod', '_fsdp_wrapped_module', '_checkpoint_wrapped_module']);

/** What networks call their last linear layer. */
const heads = ['fc', 'linear', 'classifier'];

/** Wrappers lie no deeper in each other. */
const MAX_DEPTH = 5;

/**
 * The ways in which the keys of a network may lie in a file, the plainest first: as they are; without wrapping modules;
 * without what all of them begin with; and where a body and a head lie beside each other, without what the body's begin
 * with.
 */
export function renamings(shapes: Shapes): Renaming[] {
  const found: Renaming[] = [];
  let keys: Renaming = new Map(
    [...shapes.keys()].map((key) => [
      key,
      key
        .split('.')
        .filter((part) => !transparent.has(part))
        .join('.'),
    ]),
  );
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    found.push(keys);
    const [first] = firstComponents(keys);
    if (first === undefined || firstComponents(keys).size !== 1) break;
    const [component] = first;
    keys = mapped(keys, (key) => key.slice(component.length + 1));
  }
  return [...found.flatMap((renaming) => [renaming, ...withoutBody(renaming)])];
}

/** The keys of a part of a file: those that begin with `name`, without it. */
export function partOf(shapes: Shapes, name: string): Shapes {
  const prefix = `${name}.`;
  return new Map(
    [...shapes].flatMap(([key, shape]) =>
      key.startsWith(prefix) ? [[key.slice(prefix.length), shape] as const] : [],
    ),
  );
}

/** How many keys begin with each first component. */
export function firstComponents(keys: Renaming): Map<string, number> {
  const counts = new Map<string, number>();
  for (const key of keys.values()) {
    const component = key.includes('.') ? key.slice(0, key.indexOf('.')) : '';
    counts.set(component, (counts.get(component) ?? 0) + 1);
  }
  counts.delete('');
  return counts;
}

/** Where nearly all keys begin with one component, and the others are a linear layer's. */
function withoutBody(keys: Renaming): Renaming[] {
  const [[body, count] = ['', 0]] = [...firstComponents(keys)].sort(([, a], [, b]) => b - a);
  const rest = [...keys].filter(([, key]) => !key.startsWith(`${body}.`));
  const head = rest.find(([, key]) => key.endsWith('.weight'))?.[1].replace(/\.weight$/, '');
  if (
    count < 3 ||
    head === undefined ||
    rest.some(([, key]) => !key.startsWith(`${head}.`)) ||
    rest.length > 2
  )
    return [];
  return ['', ...heads].map((name) =>
    mapped(keys, (key) => {
      if (key.startsWith(`${body}.`)) return key.slice(body.length + 1);
      return name === '' ? key : `${name}${key.slice(head.length)}`;
    }),
  );
}

function mapped(keys: Renaming, change: (key: string) => string): Renaming {
  return new Map([...keys].map(([file, key]) => [file, change(key)]));
}
