import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { packageRoot } from '../src/common/package-root.ts';
import * as checkpoints from '../src/entries/checkpoints.ts';
import * as guard from '../src/entries/guard.ts';
import * as main from '../src/entries/main.ts';
import * as methods from '../src/entries/methods.ts';
import * as onnx from '../src/entries/onnx.ts';
import * as training from '../src/entries/training.ts';

/** Whoever builds on la-ood relies on these names; types come beside them. */
const names = {
  main: [
    'CheckpointError',
    'DataError',
    'DetectorError',
    'DeviceError',
    'FeatureError',
    'GraphError',
    'LaOodError',
    'QueueFullError',
    'RunError',
    'TrainingError',
    'UsageError',
    'decodeImage',
    'endWorkers',
    'imageSize',
    'openGuard',
    'resize',
  ],
  checkpoints: [
    'Architecture',
    'architectureNamed',
    'architectureNames',
    'backboneMetadata',
    'buildBackbone',
    'compareFiles',
    'exportCheckpoint',
    'exportFormats',
    'fileKind',
    'imagenetNormalization',
    'importCheckpoint',
    'inspectFile',
    'modelFile',
    'openFeatures',
    'readCheckpoint',
    'recognizeArchitecture',
    'stateDictOf',
    'writeCheckpoint',
    'writeFeatures',
  ],
  guard: [
    'DriftDetector',
    'RunFolder',
    'adoptClassifier',
    'aggregations',
    'batches',
    'calibrate',
    'conformalPValues',
    'demoSetNames',
    'derivations',
    'downloadSets',
    'evaluateRun',
    'examineMachine',
    'extractFeatures',
    'filterNames',
    'findDuplicates',
    'fitDetectors',
    'generatedNames',
    'guardRun',
    'importClassifier',
    'importDetectors',
    'manualSources',
    'monitorImages',
    'openImageSet',
    'programVersion',
    'questions',
    'recalibrateGuard',
    'runDemo',
    'scoreImages',
    'servePage',
    'sources',
    'versions',
    'writeDatasets',
    'writeHdf5Images',
    'writePage',
    'writeScores',
  ],
  methods: [
    'LayerFitter',
    'RandomState',
    'benchmarkOpenOod',
    'bootstrapIntervals',
    'computeMetrics',
    'defaultFitOptions',
    'detectorsModel',
    'detectorsOfModel',
    'evaluate',
    'layerCsv',
    'measureMethods',
    'methodNames',
    'misclassification',
    'openOodNames',
    'setKinds',
    'summaryCsv',
    'summaryJson',
  ],
  onnx: [
    'GraphSession',
    'checkModel',
    'decodeModel',
    'describeClassifier',
    'deviceNames',
    'dynamicBatch',
    'encodeModel',
    'exposeTaps',
    'getMetadata',
    'inferShapes',
    'prependPreprocessing',
    'pruneUnused',
    'readModel',
    'setMetadata',
    'tapCandidates',
    'writeModel',
  ],
  training: [
    'coTrainRun',
    'fineTuning',
    'initialWeights',
    'recipeOf',
    'schedules',
    'trainBackbone',
    'trainingEngineNames',
  ],
};

describe('the public API', () => {
  const entries = { main, checkpoints, guard, methods, onnx, training };

  it('has these names, and no others', () => {
    for (const [entry, all] of Object.entries(names))
      expect(Object.keys(entries[entry as keyof typeof entries]).sort(), entry).to.deep.equal(all);
  });

  it('is what the package exports, and the browser', () => {
    const { exports } = JSON.parse(readFileSync(new URL('package.json', packageRoot), 'utf8'));
    const subpaths = Object.keys(names).map((entry) => (entry === 'main' ? '.' : `./${entry}`));
    expect(Object.keys(exports)).to.have.members([...subpaths, './browser', './package.json']);
  });

  it('shows how each function and class is used', () => {
    const files = [...Object.keys(names).map((entry) => `src/entries/${entry}.ts`), 'src/browser/entry.ts'];
    const without = files.flatMap((file) =>
      exportsOf(file).filter(({ name, docs, isClass }) => {
        // What is said of LaOodError holds for every error.
        if (/[a-z]Error$/.test(name) && name !== 'LaOodError') return false;
        return !(isClass ? docs.join() : docs[0]).includes('@example');
      }),
    );
    expect(without.map(({ name }) => name)).to.deep.equal([]);
  });
});

/** The functions and classes that an entry exports, with their docstrings; of a class those of its members after its own. */
function exportsOf(entry: string): { name: string; isClass: boolean; docs: string[] }[] {
  const text = readFileSync(new URL(entry, packageRoot), 'utf8');
  return [...text.matchAll(/^export \{([^}]*)\} from '([^']+)';/gm)].flatMap(([, list, from]) => {
    const source = readFileSync(new URL(from, new URL(entry, packageRoot)), 'utf8');
    const exported = list.split(',').flatMap((name) => name.trim() || []);
    return exported.flatMap((name) => {
      const declaration = new RegExp(`^export (?:abstract |async )*(class|function\\*?) ${name}\\b`, 'm');
      const found = declaration.exec(source);
      if (!found) return [];
      const docsIn = (part: string) => part.match(/\/\*\*(?:(?!\*\/)[\s\S])*\*\//g) ?? [];
      const own = docsIn(source.slice(0, found.index)).at(-1) ?? '';
      const isClass = found[1] === 'class';
      return { name, isClass, docs: [own, ...docsIn(source.slice(found.index))] };
    });
  });
}
