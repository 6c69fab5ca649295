import { execFileSync } from 'node:child_process';
import { copyFile, mkdir } from 'node:fs/promises';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import type { Browser } from 'playwright-core';
import { type Guard, type GuardAnswer, openGuard } from '../../src/index.ts';
import { openPage, startChromium } from '../browser/chromium.ts';
import { imageFiles } from '../browser/images.ts';
import { serveFolder } from '../browser/serve-folder.ts';
import { temporaryFolder } from '../cli/files.ts';
import { copyOfRun } from '../cli/run-states.ts';
import { installExample } from './files.ts';

describe('examples/browser', () => {
  const at = temporaryFolder();
  let browser: Browser;
  let server: Server;
  let guard: Guard;

  before(async () => {
    await copyOfRun('guarded', at('run'));
    await installExample('browser', at('page'));
    await mkdir(at('page', 'public'));
    await copyFile(at('run', 'guarded.onnx'), at('page', 'public', 'guarded.onnx'));
    execFileSync('npm', ['run', '--silent', 'build'], { cwd: at('page'), stdio: 'pipe' });
    server = await serveFolder(join(at('page'), 'dist'));
    browser = await startChromium();
    guard = await openGuard(at('run', 'guarded.onnx'));
  });
  after(async () => {
    await browser?.close();
    server?.close();
    await guard?.close();
  });

  it("gives Node's answers, of images of every kind, and asks nobody else", async () => {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const { page, troubles, requests } = await openPage(browser, url, 800);
    await page.locator('#image:not([disabled])').waitFor({ timeout: 60_000 });
    expect(await page.locator('#status').textContent()).to.match(
      /^Runs on (wasm|webgpu), [\d.]+ ms an image$/,
    );
    for (const file of (await imageFiles(at('images'))).exact) {
      await page.locator('#answer').evaluate((element) => {
        element.textContent = '';
      });
      await page.locator('#image').setInputFiles(file);
      await page.locator('#answer:not(:empty)').waitFor();
      const found: GuardAnswer = JSON.parse((await page.locator('#answer').textContent())!);
      const expected = await guard.score(file);
      const largest = Math.max(...expected.logits.map(Math.abs));
      for (const [i, logit] of expected.logits.entries())
        expect(found.logits[i], file).to.be.closeTo(logit, 1e-4 * largest);
      expect(found.label, file).to.equal(expected.label);
      expect(found.classes.map(({ label }) => label)).to.deep.equal(
        expected.classes.map(({ label }) => label),
      );
      // A decision may differ where the p-value is within .005 of the rate.
      if (Math.abs(expected.pValue - guard.info.calibration.rate) > 0.005)
        expect(found.isOod, file).to.equal(expected.isOod);
      expect(found.pValue, file).to.be.closeTo(expected.pValue, 0.005);
    }
    // Chromium says so by itself where there is no GPU.
    const own = troubles.filter((trouble) => trouble !== 'console: No available adapters.');
    expect(own).to.deep.equal([]);
    expect(requests.filter((request) => !request.startsWith(url))).to.deep.equal([]);
  });
});
