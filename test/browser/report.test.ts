import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'chai';
import type { Browser, Page } from 'playwright-core';
import type { Evaluation } from '../../src/index.ts';
import { openPage, overflow, startChromium } from './chromium.ts';
import { demoRun } from './demo.ts';

describe("the demo's report.html in a browser", () => {
  let browser: Browser;
  let run: string;
  let url: string;

  before(async () => {
    browser = await startChromium();
    run = await demoRun();
    url = pathToFileURL(join(run, 'report.html')).href;
  });
  after(() => browser?.close());

  for (const width of [375, 1280])
    for (const colorScheme of ['light', 'dark'] as const)
      it(`is whole at ${width} pixels, ${colorScheme}, with the network off`, async () => {
        const { page, troubles, requests } = await openPage(browser, url, width, {
          colorScheme,
          offline: true,
        });
        expect(troubles).to.deep.equal([]);
        expect(requests.filter((request) => !request.startsWith('data:'))).to.deep.equal([url]);
        expect(await overflow(page)).to.equal(0);
        const undrawn = 'Array.from(document.images).filter((image) => !image.naturalWidth).length';
        expect(await page.evaluate(undrawn)).to.equal(0);
        const ground = await page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
        const [red] = ground.match(/\d+/g)!.map(Number);
        expect(red > 128).to.equal(colorScheme === 'light');
        await page.close();
      });

  it('has the numbers of summary.json', async () => {
    const { page } = await openPage(browser, url, 1280);
    const { sets }: Evaluation = JSON.parse(await readFile(join(run, 'results', 'summary.json'), 'utf8'));
    const percent = (share: number) => (100 * share).toFixed(2);
    const rows = await page.locator('table.overview tbody tr').all();
    expect(rows).to.have.length(sets.length);
    for (const [s, { ood, guard, bestMethod, laOod, best, baselines }] of sets.entries()) {
      expect(await rows[s].locator('th').textContent()).to.equal(ood);
      const cells = await rows[s].locator('td').allInnerTexts();
      const decision = [
        percent(guard!.metrics.auroc),
        percent(guard!.metrics.fprAt95Tpr),
        percent(guard!.metrics.fprAt95TprIndPositive),
      ];
      const answers = guard!.answers.map(({ metrics }) => percent(metrics.auroc));
      const published =
        bestMethod && `${percent(bestMethod.metrics.auroc)}\n${bestMethod.name.split(': ')[1]}`;
      const others = [laOod, best, ...baselines].map(({ metrics }) => percent(metrics.auroc));
      expect(cells.slice(0, -1)).to.deep.equal([...decision, ...answers, published ?? '–', ...others]);
    }
    await page.close();
  });

  it('shows the histogram that is chosen, also by the keyboard', async () => {
    const { page } = await openPage(browser, url, 1280);
    const set = page.locator('section.set').first();
    expect(await shown(page)).to.deep.equal(['h h0']);
    await set.getByLabel('energy').check();
    expect(await shown(page)).to.deep.equal(['h h7']);
    await page.keyboard.press('ArrowUp');
    expect(await shown(page)).to.deep.equal(['h h6']);
    await page.close();
  });

  it('prints light, with nothing beyond the page and no page nearly empty', async () => {
    const { page, troubles } = await openPage(browser, url, 703, { colorScheme: 'dark' });
    await page.emulateMedia({ media: 'print' });
    // A4 less its margins.
    expect(await overflow(page)).to.equal(0);
    expect(await page.evaluate('getComputedStyle(document.body).backgroundColor')).to.equal(
      'rgb(255, 255, 255)',
    );
    const pdf = await page.pdf({ preferCSSPageSize: true, printBackground: true });
    const pages = pdf.toString('latin1').match(/\/Type\s*\/Page\b/g)!.length;
    // Two pages of overview, one for each of the seven sets, two at the end.
    expect(pages).to.be.within(9, 12);
    expect(troubles).to.deep.equal([]);
    await page.close();
  });
});

/** Which of the first set's histograms can be seen. */
function shown(page: Page): Promise<string[]> {
  return page.evaluate(
    "Array.from(document.querySelector('section.set').querySelectorAll('.h')).filter((h) => h.offsetHeight).map((h) => h.className)",
  );
}
