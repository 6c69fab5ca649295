import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Browser } from 'playwright-core';
import sharp from 'sharp';
import { writeAtomically } from '../../src/common/files.ts';
import { openPage, startChromium } from './chromium.ts';

/**
 * Makes the pictures of web pages in docs/:
 *
 *     npm run docs:screenshots -- RUN SET    docs/report.png: the report.html of a run folder, with one of its OOD sets
 */
const [run, set] = process.argv.slice(2);
if (set === undefined) throw new Error('name a run folder that has a report.html, and one of its OOD sets');

const docs = fileURLToPath(new URL('../../docs/', import.meta.url));
const browser = await startChromium();
try {
  await writeAtomically(join(docs, 'report.png'), await reportPicture(browser, run, set));
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
  const png = await page.screenshot({ fullPage: true });
  // 256 colours are enough for charts, and no picture of a page needs more bytes.
  return sharp(png).png({ palette: true, effort: 10 }).toBuffer();
}
