import type { LayerDetectors } from './layer-detectors.ts';

/** Detectors of one kind or of several, side by side. */
export interface DetectorPanel extends LayerDetectors {
  /** Of each detector, which kind it is of, from 0. */
  readonly kinds: readonly number[];
}

/** All detectors of some kinds, those of the first kind first. */
export function panelOf(detectorsByKind: readonly LayerDetectors[]): DetectorPanel {
  const members = detectorsByKind.flatMap((detectors, kind) =>
    detectors.groups.map((taps, at) => ({ kind, at, taps })),
  );
  return {
    groups: members.map(({ taps }) => taps),
    kinds: members.map(({ kind }) => kind),
    addScores(graph, which, name) {
      const kinds = [...new Set(which.map((d) => members[d].kind))];
      const order: number[] = [];
      const parts = kinds.map((kind) => {
        const own = which.filter((d) => members[d].kind === kind);
        order.push(...own);
        const part = `${name}/kind_${kind}`;
        detectorsByKind[kind].addScores(
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

/** Some of a panel's detectors, in another order. */
export function choose(panel: DetectorPanel, which: readonly number[]): DetectorPanel {
  return {
    groups: which.map((d) => panel.groups[d]),
    kinds: which.map((d) => panel.kinds[d]),
    addScores: (graph, some, name) =>
      panel.addScores(
        graph,
        some.map((d) => which[d]),
        name,
      ),
  };
}
