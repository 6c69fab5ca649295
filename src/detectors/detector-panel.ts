import type { LayerDetectors } from './layer-detectors.ts';

/** Kinds of detectors: the paper's one-class SVMs, and those that a guard fits by itself. */
export const detectorKinds = ['gaussian', 'ocsvm', 'mahalanobis', 'knn'] as const;
export type DetectorKind = (typeof detectorKinds)[number];

/** Detectors of one kind or of several, side by side. */
export interface DetectorPanel extends LayerDetectors {
  readonly kinds: readonly DetectorKind[];
  /** What each of them watches or looks for, in words. */
  readonly names: readonly string[];
}

/** All detectors of some kinds, one kind after the other. */
export function panelOf(detectorsByKind: ReadonlyMap<DetectorKind, LayerDetectors>): DetectorPanel {
  const isMixed = detectorsByKind.size > 1;
  const members = [...detectorsByKind].flatMap(([kind, { groups, names = groups.map(ends) }]) =>
    groups.map((taps, at) => ({ kind, at, taps, name: isMixed ? `${names[at]} (${kind})` : names[at] })),
  );
  return {
    groups: members.map(({ taps }) => taps),
    kinds: members.map(({ kind }) => kind),
    names: members.map(({ name }) => name),
    addScores(graph, which, name) {
      const kinds = [...new Set(which.map((d) => members[d].kind))];
      const order: number[] = [];
      const parts = kinds.map((kind) => {
        const own = which.filter((d) => members[d].kind === kind);
        order.push(...own);
        const part = `${name}/${kind}`;
        detectorsByKind.get(kind)!.addScores(
          graph,
          own.map((d) => members[d].at),
          part,
        );
        return part;
      });
      const together = graph.node('Concat', parts, { name: `${name}/kinds`, attributes: { axis: 1 } });
      const places = graph.int64s(
        `${name}/kind_places`,
        which.map((d) => order.indexOf(d)),
      );
      graph.node('Gather', [together, places], { name, attributes: { axis: 1 } });
    },
  };
}

/** A group of taps by its ends. */
function ends([first, ...others]: readonly string[]): string {
  return [first, ...others.slice(-1)].join(' … ');
}

/** Some of a panel's detectors, in another order. */
export function choose(panel: DetectorPanel, which: readonly number[]): DetectorPanel {
  return {
    groups: which.map((d) => panel.groups[d]),
    kinds: which.map((d) => panel.kinds[d]),
    names: which.map((d) => panel.names[d]),
    addScores: (graph, some, name) =>
      panel.addScores(
        graph,
        some.map((d) => which[d]),
        name,
      ),
  };
}
