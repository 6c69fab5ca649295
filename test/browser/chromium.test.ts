import { writeFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { expect } from 'chai';
import { temporaryFolder } from '../cli/files.ts';
import { openPage, overflow, startChromium } from './chromium.ts';

describe('the browser of the tests', () => {
  const at = temporaryFolder();

  it('opens files, reaches no host, and tells of what goes wrong', async () => {
    const html =
      '<!doctype html><div style="width:500px">wide</div><img src="https://example.org/a.png" alt=""><script>console.error("heard")</script>';
    await writeFile(at('page.html'), html);
    const browser = await startChromium();
    try {
      const { page, troubles, requests } = await openPage(browser, pathToFileURL(at('page.html')).href, 375);
      expect(await overflow(page)).greaterThan(100);
      expect(requests).to.include('https://example.org/a.png');
      expect(troubles.join('\n')).to.include('heard').and.include('ERR_NAME_NOT_RESOLVED');
    } finally {
      await browser.close();
    }
  });
});
