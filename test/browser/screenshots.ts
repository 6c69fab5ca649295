import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Browser } from 'playwright-core';
import sharp from 'sharp';
import { demoSetNames } from '../../data/demo/demo-set.ts';
import { writeAtomically } from '../../src/common/files.ts';
import { openImageSet, servePage } from '../../src/index.ts';
import { openPage, startChromium } from './chromium.ts';

/**
 * Makes the pictures of web pages in docs/:
 *
 *     npm run docs:screenshots -- runs/demo shapes
 *
 * docs/report.png is the report.html of a run folder with one of its OOD sets, docs/page.png the page of la-ood serve with
 * its guarded.onnx and images of both kinds. Both show images: the run is the demo's, whose images are the project's own.
 */
const [run, set] = process.argv.slice(2);
if (set === undefined) throw new Error("name the demo's run folder, and one of its OOD sets");

const docs = fileURLToPath(new URL('../../docs/', import.meta.url));
const browser = await startChromium();
try {
  await writeAtomically(join(docs, 'report.png'), await reportPicture(browser, run, set));
  await writeAtomically(join(docs, 'page.png'), await pagePicture(browser, run));
} finally {
  await browser.close();
}

/** The top of the report, and what it says of one OOD set. */
async function reportPicture(browser: Browser, run: string, set: string): Promise<Uint8Array> {
  const { page } = await openPage(browser, pathToFileURL(resolve(run, 'report.html')).href, 1280);
  const heading = page.locator('section.set h2').filter({ hasText: new RegExp(`^${set} `) });
  const id = await heading.locator('xpath=..').getAttribute('id');
  await page.addStyleTag({
    content: `section:not(#verdicts, #layers, #${id}), footer { display: none } main { padding-bottom: 1px }`,
  });
  return fewColors(await page.screenshot({ fullPage: true }));
}

/** Some InD images of the demo and two of each of its OOD sets, one of which is looked at. */
async function pagePicture(browser: Browser, run: string): Promise<Uint8Array> {
  const served = await servePage(join(run, 'guarded.onnx'), { port: 0 });
  try {
    const { page } = await openPage(browser, served.url, 1280);
    await page.locator('#runtime.ready').waitFor();
    const images = await drawings('test', 4);
    for (const name of demoSetNames())
      if (name !== 'train' && name !== 'test') images.push(...(await drawings(name, 2)));
    await page.locator('#files').setInputFiles(images);
    await page.locator('.badge.waiting').first().waitFor({ state: 'detached' });
    await page.locator('.tile:has(.ood)').last().click();
    await page.locator('#tiles').evaluate((tiles) => tiles.scrollTo(0, 0));
    return fewColors(await page.screenshot({ fullPage: true }));
  } finally {
    await served.close();
  }
}

/** The first images of a set of the demo, as files to choose. */
async function drawings(
  name: string,
  count: number,
): Promise<{ name: string; mimeType: string; buffer: Buffer }[]> {
  const set = await openImageSet(`demo:${name}`);
  const size = { height: 32, width: 32 };
  return Promise.all(
    Array.from({ length: count }, async (_, i) => ({
      name: `${name}-${i}.png`,
      mimeType: 'image/png',
      buffer: await sharp(await set.read(i, i + 1, size), { raw: { ...size, channels: 3 } })
        .png()
        .toBuffer(),
    })),
  );
}

async function fewColors(png: Buffer): Promise<Uint8Array> {
  // 256 colours are enough for charts, and no picture of a page needs more bytes.
  return sharp(png).png({ palette: true, effort: 10 }).toBuffer();
}
