import { execFileSync } from 'node:child_process';
import { cp, readFile } from 'node:fs/promises';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import type { Browser, Locator, Page } from 'playwright-core';
import { decodeImage } from '../../data/decode.ts';
import { resize } from '../../data/resample.ts';
import {
  GraphSession,
  guardRun,
  RunFolder,
  readModel,
  type ScoredImage,
  writePage,
} from '../../src/index.ts';
import { temporaryFolder } from '../cli/files.ts';
import { json, type Running, start } from '../cli/run.ts';
import { openPage, overflow, startChromium, type WatchedPage } from './chromium.ts';
import { demoRun } from './demo.ts';
import { type ImageFiles, imageFiles } from './images.ts';
import { serveFolder } from './serve-folder.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

describe('the page of la-ood serve in a browser', () => {
  const at = temporaryFolder();
  let browser: Browser;
  let model: string;
  let files: ImageFiles;
  let served: Served;
  let opened: WatchedPage;
  let folderServer: Server | undefined;

  before(async () => {
    execFileSync('npm', ['run', '--silent', 'build:page'], { cwd: root });
    browser = await startChromium();
    model = join(await demoRun(), 'guarded.onnx');
    files = await imageFiles(at('images'));
    served = await serve(model);
  });
  after(async () => {
    served?.running.process.kill('SIGINT');
    await browser?.close();
    folderServer?.close();
  });
  beforeEach(async () => {
    opened = await openReady(browser, served.url);
  });
  afterEach(async () => {
    expect(opened.troubles).to.deep.equal([]);
    for (const request of opened.requests)
      expect(request.replace(/^blob:/, '').startsWith(served.url), request).to.equal(true);
    await opened.page.close();
  });

  it('says what runs the model, and how fast', async () => {
    const { page } = opened;
    expect(await text(page.locator('#runtime'))).to.match(
      /^Runs on (WebGPU|WebAssembly, \d threads?); [\d.]+ ms an image$/,
    );
    expect(await text(page.locator('#runtime-facts'))).to.match(
      /^Checked: made-up images give the p-values that they give in Node, to 0\.00\d+, and the logits to \de-\d+ of the largest/,
    );
    await choose(page, files.exact.slice(0, 1));
    expect(await text(fact(page, 'Took'))).to.match(
      /^[\d.]+ ms in (WebGPU|WebAssembly), [\d.]+ ms to decode and resize$/,
    );
  });

  it("has Node's numbers for images of every kind", async () => {
    const { page } = opened;
    const expected = await json<{ rows: ScoredImage[] }>('score', model, ...files.exact, ...files.noted);
    const parts = await partScores(model, [...files.exact, ...files.noted]);
    await choose(page, [...files.exact, ...files.noted]);
    for (const [i, row] of expected.rows.entries()) {
      const shown = await select(page, i);
      const name = basename(row.image);
      expect(shown.name).to.equal(name);
      expect(shown.note !== undefined, name).to.equal(i >= files.exact.length);
      compare(shown, row, parts[i]);
    }
    const verdicts = new Set(expected.rows.map(({ isOod }) => isOod));
    expect(verdicts.size).to.equal(2);
    expect(await text(page.locator('#status'))).to.equal(
      `${expected.rows.length} images: ${expected.rows.filter(({ isOod }) => !isOod).length} InD, ` +
        `${expected.rows.filter(({ isOod }) => isOod).length} OOD.`,
    );
  });

  it('takes images that are dropped or pasted, and says what it cannot read', async () => {
    const { page } = opened;
    const [inD, ood] = files.exact;
    const { rows } = await json<{ rows: ScoredImage[] }>('score', model, inD, ood);
    await give(page, 'drop', [inD]);
    compare(await shown(page), rows[0]);
    expect(await text(page.locator('#status'))).to.match(/^ind\.png: InD, .*p-value/);
    await page.getByRole('button', { name: 'Clear' }).click();
    await give(page, 'paste', [ood]);
    compare(await shown(page), rows[1]);
    await page.getByRole('button', { name: 'Clear' }).click();
    await give(page, 'drop', [fileURLToPath(import.meta.url)]);
    expect(await text(page.locator('#detail .problem'))).to.equal(
      'page.test.ts: is no JPEG, PNG, WebP or GIF; save it as one of these',
    );
  });

  it('can be used with the keyboard alone, and moves the rate', async () => {
    const { page } = opened;
    const focused = page.locator(':focus');
    const chooser = page.waitForEvent('filechooser');
    await page.keyboard.press('Tab');
    expect(await focused.textContent()).to.equal('Choose images');
    await page.keyboard.press('Enter');
    await (await chooser).setFiles(files.exact.slice(0, 2));
    await finished(page, 2);
    await page.keyboard.press('Tab');
    expect(await focused.textContent()).to.equal('Clear');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    expect(await focused.getAttribute('aria-pressed')).to.equal('true');
    expect(await text(page.locator('#detail h2'))).to.equal('ood.png');
    await page.keyboard.press('Tab');
    expect(await focused.textContent()).to.equal('As a table');
    await page.keyboard.press('Enter');
    expect(await page.locator('#detail table').isVisible()).to.equal(true);

    const rate = page.getByLabel('False alarms', { exact: false });
    expect(await rate.getAttribute('aria-valuetext')).to.equal('5 %');
    await rate.focus();
    await page.keyboard.press('End');
    expect(await rate.getAttribute('aria-valuetext')).to.equal('50 %');
    await page.getByRole('button', { name: 'Back to the model’s own, 5 %' }).press('Enter');
    expect(await rate.getAttribute('aria-valuetext')).to.equal('5 %');
    expect(await focused.getAttribute('id')).to.equal('rate');
  });

  it('tells screen readers what it shows', async () => {
    const { page } = opened;
    await choose(page, files.exact.slice(0, 2));
    expect(await page.locator('[role=status]').all()).to.have.length(2);
    expect(await page.getByRole('heading', { level: 1 }).textContent()).to.match(/guarded\.onnx$/);
    for (const name of ['Drop images here', 'Images', 'What it says', 'This model'])
      expect(await page.getByRole('region', { name, exact: true }).count(), name).to.equal(1);
    expect(await page.getByRole('button', { name: /InD ind\.png/ }).getAttribute('aria-pressed')).to.equal(
      'true',
    );
    expect(await page.getByRole('img', { name: /^Score .*, threshold/ }).count()).to.equal(1);
    expect(await page.getByRole('img', { name: /^Parts of the score/ }).count()).to.equal(1);
    expect(await page.getByRole('img', { name: /^The image, 32 × 32/ }).count()).to.equal(1);
    const nameless =
      "Array.from(document.querySelectorAll('img:not([alt]), [role=img]:not([aria-label]), button:empty, input:not([hidden]):not([id])')).length";
    expect(await page.evaluate(nameless)).to.equal(0);
  });

  for (const width of [375, 1280])
    for (const colorScheme of ['light', 'dark'] as const)
      it(`fits ${width} pixels, ${colorScheme}`, async () => {
        await opened.page.close();
        opened = await openReady(browser, served.url, width, colorScheme);
        const { page } = opened;
        expect(await overflow(page)).to.equal(0);
        await choose(page, files.exact);
        for (const index of [0, 1]) {
          await select(page, index);
          expect(await overflow(page)).to.equal(0);
        }
        const [red] = (await page.evaluate<string>('getComputedStyle(document.body).backgroundColor'))
          .match(/\d+/g)!
          .map(Number);
        expect(red > 128).to.equal(colorScheme === 'light');
      });

  it('runs a model with early exit, in a folder on any web server, on one thread', async () => {
    await cp(await demoRun(), at('early'), { recursive: true });
    await RunFolder.use(at('early'), (run) => guardRun(run, { earlyExit: true }));
    const early = at('early', 'guarded-early-exit.onnx');
    const { folder } = await writePage(early, at('page'));
    folderServer = await serveFolder(folder);
    const url = `http://127.0.0.1:${(folderServer.address() as AddressInfo).port}/`;
    const { page, troubles, requests } = await openReady(browser, url);
    expect(await text(page.locator('#runtime'))).to.match(/WebGPU|WebAssembly, 1 thread;/);
    const { rows } = await json<{ rows: ScoredImage[] }>('score', early, ...files.exact);
    const parts = await partScores(early, files.exact);
    await choose(page, files.exact);
    for (const [i, row] of rows.entries()) compare(await select(page, i), row, parts[i]);
    const left = rows.findIndex(({ label }) => label === -1);
    expect(left).to.be.at.least(0);
    await select(page, left);
    const detail = await text(page.locator('#detail'));
    expect(detail).to.include('It left the network early');
    expect(await text(fact(page, 'Left after'))).to.match(/^stage [12] of 3$/);
    expect(troubles).to.deep.equal([]);
    expect(requests.filter((request) => !request.replace(/^blob:/, '').startsWith(url))).to.deep.equal([]);
    await page.close();
  });
});

interface Served {
  readonly url: string;
  readonly running: Running;
}

/** Starts `la-ood serve`. */
async function serve(model: string): Promise<Served> {
  const running = start(['serve', model, '--port', '0', '--json']);
  const line = await new Promise<string>((resolve) => {
    let text = '';
    running.process.stdout!.on('data', (part) => {
      text += part;
      if (text.endsWith('}\n')) resolve(text);
    });
  });
  return { url: JSON.parse(line).url, running };
}

/** Opens the page and waits for its model. */
async function openReady(
  browser: Browser,
  url: string,
  width = 1280,
  colorScheme: 'light' | 'dark' = 'light',
): Promise<WatchedPage> {
  const opened = await openPage(browser, url, width, { colorScheme });
  await opened.page.locator('#runtime:is(.ready, .problem)').waitFor({ timeout: 60_000 });
  return opened;
}

async function choose(page: Page, files: readonly string[]): Promise<void> {
  await page.locator('#files').setInputFiles([...files]);
  await finished(page, files.length);
}

/** Gives files as the system does when they are dropped or pasted. */
async function give(page: Page, how: 'drop' | 'paste', files: readonly string[]): Promise<void> {
  const contents = await Promise.all(
    files.map(async (file) => ({ name: basename(file), base64: await readFile(file, 'base64') })),
  );
  await page.evaluate(
    `{
      const data = new DataTransfer();
      for (const { name, base64 } of ${JSON.stringify(contents)})
        data.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name));
      const target = document.getElementById('drop');
      const options = { bubbles: true, cancelable: true };
      target.dispatchEvent(${
        how === 'drop'
          ? "new DragEvent('drop', { ...options, dataTransfer: data })"
          : "new ClipboardEvent('paste', { ...options, clipboardData: data })"
      });
    }`,
  );
  await finished(page, files.length);
}

/** Waits until that many images have been scored. */
async function finished(page: Page, count: number): Promise<void> {
  await page
    .locator('.tile .badge:is(.ind, .ood, .error)')
    .nth(count - 1)
    .waitFor({ timeout: 60_000 });
  await page.locator('.badge.waiting').first().waitFor({ state: 'detached', timeout: 60_000 });
}

/** What the page says of an image. */
interface Shown {
  readonly name: string;
  readonly decision: string;
  readonly label: number;
  readonly score: number;
  readonly pValue: number;
  /** Why it is OOD, or that it is not. */
  readonly sentence: string;
  /** Of a guard by layers. */
  readonly layer?: string;
  readonly parts: readonly number[];
  readonly note?: string;
}

async function select(page: Page, index: number): Promise<Shown> {
  await page.locator('.tile').nth(index).click();
  return shown(page);
}

async function shown(page: Page): Promise<Shown> {
  const detail = page.locator('#detail');
  const number = async (of: Locator) => Number(await of.locator('data').getAttribute('value'));
  const values = detail.locator('table data');
  const note = detail.locator('.note');
  return {
    name: await text(detail.locator('h2')),
    decision: await text(detail.locator('.decision')),
    label: await number(fact(page, 'Class')),
    score: await number(fact(page, 'Score')),
    pValue: await number(fact(page, 'p-value')),
    sentence: await text(detail.locator('.sentence')),
    ...((await fact(page, 'Most unusual').count()) && { layer: await text(fact(page, 'Most unusual')) }),
    parts: await values.evaluateAll((found) => found.map((value) => Number(value.getAttribute('value')))),
    ...((await note.count()) && { note: await text(note) }),
  };
}

/** What the page says of an image under a heading. */
function fact(page: Page, term: string): Locator {
  return page.locator('#detail dl > div', { has: page.getByText(term, { exact: true }) }).locator('dd');
}

async function text(of: Locator): Promise<string> {
  return (await of.textContent())!.trim();
}

/**
 * A few ranks among the demo's 500 or 1,000 calibration images. Some of the images here are among them: their scores tie with
 * themselves, and rounding decides which is larger; so it does for each part of the content score.
 */
const RANKS = 2 / 501;

/** Compares what the page says with what `la-ood score` says, and with the parts of the score that Node has. */
function compare(shown: Shown, row: ScoredImage, parts?: readonly number[]): void {
  const what = shown.name;
  expect(shown.decision, what).to.equal(row.isOod ? 'OOD' : 'InD');
  expect(shown.label, what).to.equal(row.label);
  expect(shown.pValue, what).to.be.closeTo(row.pValue, 1e-4 + RANKS);
  const isByLayers = row.layer !== undefined;
  if (isByLayers) expect(shown.score, what).to.be.closeTo(row.score, 1e-4);
  expect(shown.layer, what).to.equal(row.layer);
  if (!isByLayers) expect(shown.sentence.toLowerCase(), what).to.include(row.reason);
  if (!parts) return;
  expect(shown.parts, what).to.have.length(parts.length);
  for (const [i, value] of parts.entries())
    if (Number.isNaN(value)) expect(shown.parts[i], what).to.be.NaN;
    else if (isByLayers || i > 1) expect(shown.parts[i], what).to.be.closeTo(value, 1e-3);
}

/** What the score of each image is made of, in Node. */
async function partScores(model: string, files: readonly string[]): Promise<number[][]> {
  const guarded = await readModel(model);
  const output = guarded.graph.output
    .map(({ name }) => name)
    .find((name) => /^(layer|component)_scores$/.test(name))!;
  const session = await GraphSession.open(guarded, { device: 'cpu' });
  try {
    const scores: number[][] = [];
    for (const file of files) {
      const size = { height: 32, width: 32 };
      const data = resize(await decodeImage(await readFile(file), file), size);
      const pixels = { dtype: 'uint8', shape: [1, size.height, size.width, 3], data } as const;
      const outputs = await session.run({ pixels }, [output]);
      scores.push(Array.from(outputs[output].data as Float32Array));
    }
    return scores;
  } finally {
    await session.close();
  }
}
