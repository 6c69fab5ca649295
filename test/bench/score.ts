import { UsageError } from '../../src/common/errors.ts';
import { sha256File } from '../../src/common/files.ts';
import type { DetectorKind } from '../../src/detectors/detector-panel.ts';
import {
  type Evidence,
  evidenceScores,
  fitEvidenceScale,
  layerScoresOf,
} from '../../src/detectors/evidence.ts';
import { type Voice, voicesOf } from '../../src/detectors/voices.ts';
import { auroc } from '../../src/evaluation/metrics.ts';
import { readModel } from '../../src/graph/read.ts';
import { corruptedFile, featureFile, oodFiles, setName } from '../../src/pipeline/features/feature-files.ts';
import { featureGraph } from '../../src/pipeline/features/feature-graph.ts';
import { fitLayers } from '../../src/pipeline/guard/fitted-layers.ts';
import { gatherEvidence } from '../../src/pipeline/guard/gather-evidence.ts';
import { halves } from '../../src/pipeline/guard/guard.ts';
import { RunFolder } from '../../src/pipeline/run-folder.ts';
import type { Bench } from './bench.ts';

const isProbe = ({ handicap }: Voice) => handicap > 0;

/** What could be done to a guard's voices. */
const variants: Readonly<Record<string, (voices: readonly Voice[]) => readonly Voice[]>> = {
  '**the default**': (voices) => voices,
  'Gaussians alone': ([first]) => [first],
  'Gaussians and SVMs': (voices) => voices.filter((voice) => !isProbe(voice)),
  'Gaussians and probes': (voices) => voices.filter(({ hears }) => hears === 'mean'),
  'SVMs and probes': ([, ...others]) => others,
  'without the probe of blur': withoutProbe(0),
  'without that of contrast': withoutProbe(1),
  'without that of brightness': withoutProbe(2),
  'without that of saturation': withoutProbe(3),
  'without that of noise': withoutProbe(4),
  'without that of pixelation': withoutProbe(5),
  'without that of JPEG': withoutProbe(6),
  ...Object.fromEntries(
    [0, 0.75, 1, 2].map((handicap) => [`probes' handicap ${handicap}`, changedProbes({ handicap })]),
  ),
  'probes with 0.4 e': changedProbes({ doubt: 0.4 }),
  "the SVMs' mean": (voices) => voices.map((voice) => ({ ...voice, hears: 'mean' })),
};

function withoutProbe(which: number) {
  return (voices: readonly Voice[]) => voices.filter((voice) => voice !== voices.filter(isProbe)[which]);
}

function changedProbes(change: Partial<Voice>) {
  return (voices: readonly Voice[]) =>
    voices.map((voice) => (isProbe(voice) ? { ...voice, ...change } : voice));
}

/** The default score beside others that could be made of the same detectors, by AUROC. */
export const score: Bench = {
  about: "AUROC of the default score, of variants of it, and of the paper's, on the OOD sets of a run",
  python: false,
  options: {
    run: { about: 'a run folder that has features and detectors (required)' },
    ind: { about: 'name of the InD set' },
    sets: { about: 'OOD sets, by name, between commas; all where absent' },
    seed: { about: 'seed of the split of the held-out images, as in la-ood guard', default: '0' },
  },
  async run(values) {
    const { run: folder, ind } = values;
    if (!folder) throw new UsageError('--run', 'is required');
    await RunFolder.use(folder, async (run) => {
      const train = await featureFile(run, 'train', ind);
      const heldOut = await featureFile(run, 'test', ind);
      const oods = await oodFiles(run, heldOut, values.sets?.split(','));
      const sources = { features: train, corrupted: corruptedFile(train), svms: run.file('detectors.onnx') };
      const path = run.file('backbone.onnx');
      const graph = featureGraph(await readModel(path), path);
      const backbone = await sha256File(path);
      const [scaleRows, calibrationRows] = halves(Number(values.seed));

      /** What detectors say of the held-out images, and of every OOD set one after the other. */
      const evidenceOf = async (kinds: readonly DetectorKind[]) => {
        const { detectors, inputs } = await fitLayers(kinds, graph, sources, backbone);
        const gather = (file: string) => gatherEvidence(detectors, inputs, file, backbone);
        return { known: await gather(heldOut), gather, classes: inputs.classes };
      };
      /** The AUROC of scores on every OOD set, in per cent. */
      const table = async (
        { known, gather }: Awaited<ReturnType<typeof evidenceOf>>,
        scores: Readonly<Record<string, (evidence: Evidence) => ArrayLike<number>>>,
      ) => {
        const rows = calibrationRows(known.labels.length);
        const own = Object.values(scores).map((score) => {
          const all = score(known);
          return Float64Array.from(rows, (row) => all[row]);
        });
        const results = Object.keys(scores).map((): string[] => []);
        for (const file of oods) {
          const ood = await gather(file);
          Object.values(scores).forEach((score, s) => {
            results[s].push((100 * auroc(own[s], Float64Array.from(score(ood)))).toFixed(2));
          });
        }
        Object.keys(scores).forEach((name, s) => {
          console.log(`| ${[name, ...results[s]].join(' | ')} |`);
        });
      };

      console.log(`\n| score | ${oods.map(setName).join(' | ')} |\n|---|${'---|'.repeat(oods.length)}`);
      await table(await evidenceOf(['ocsvm']), {
        "the paper's maximum": (evidence) =>
          Float64Array.from(evidence.labels, (_, row) => Math.max(...layerScoresOf(evidence, row))),
        'the energy alone': ({ energy }) => energy,
      });
      const evidence = await evidenceOf(['gaussian', 'ocsvm', 'probe']);
      const rows = scaleRows(evidence.known.labels.length);
      const scores = Object.entries(variants).map(([name, change]) => {
        const voices = change(voicesOf(evidence.known.kinds));
        const scale = fitEvidenceScale(evidence.known, evidence.classes, rows, voices);
        return [name, (of: Evidence) => evidenceScores(of, scale)] as const;
      });
      await table(evidence, Object.fromEntries(scores));
    });
  },
};
