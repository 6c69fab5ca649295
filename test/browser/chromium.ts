import { existsSync } from 'node:fs';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

/** Where Debian puts it; LA_OOD_CHROMIUM says otherwise. */
const EXECUTABLE = process.env.LA_OOD_CHROMIUM || '/usr/bin/chromium';

/** No host but this machine is found, and the browser asks for nothing by itself. */
const SILENT = [
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-default-apps',
  '--disable-domain-reliability',
  '--disable-sync',
  '--no-first-run',
  '--no-pings',
];

/**
 * Starts the Chromium that LA_OOD_CHROMIUM names, without a window and without the network; local servers are reached.
 *
 * @throws Error where there is none
 */
export async function startChromium(): Promise<Browser> {
  if (!existsSync(EXECUTABLE))
    throw new Error(
      `${EXECUTABLE} is missing: install Chromium (apt-get install chromium), or name it with LA_OOD_CHROMIUM`,
    );
  return chromium.launch({ executablePath: EXECUTABLE, args: ['--no-sandbox', ...SILENT] });
}

/** A page, and whatever went wrong in it so far: errors on its console, exceptions, requests that failed. */
export interface WatchedPage {
  readonly page: Page;
  readonly troubles: readonly string[];
  /** Every address that was asked for. */
  readonly requests: readonly string[];
}

/** Opens an address in a fresh page of a width in CSS pixels. */
export async function openPage(
  browser: Browser,
  url: string,
  width: number,
  options: BrowserContextOptions = {},
): Promise<WatchedPage> {
  const page = await browser.newPage({ viewport: { width, height: 900 }, ...options });
  const troubles: string[] = [];
  const requests: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) troubles.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => troubles.push(`exception: ${error.message}`));
  page.on('request', (request) => requests.push(request.url()));
  page.on('requestfailed', (request) => {
    troubles.push(`failed: ${request.url()} ${request.failure()?.errorText}`);
  });
  await page.goto(url);
  return { page, troubles, requests };
}

/** How many CSS pixels the page is wider than the window; 0 where nobody has to scroll sideways. */
export function overflow(page: Page): Promise<number> {
  return page.evaluate<number>('document.documentElement.scrollWidth - document.documentElement.clientWidth');
}
