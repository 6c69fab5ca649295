import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** What opens an address in the default browser. */
const openers: Partial<Record<NodeJS.Platform, readonly string[]>> = {
  darwin: ['open'],
  win32: ['rundll32', 'url.dll,FileProtocolHandler'],
};

/** @returns whether there was something to open it with */
export async function openInBrowser(url: string): Promise<boolean> {
  const [program, ...args] = openers[process.platform] ?? ['xdg-open'];
  const opener = spawn(program, [...args, url], { detached: true, stdio: 'ignore' });
  opener.unref();
  try {
    await once(opener, 'spawn');
    return true;
  } catch {
    return false;
  }
}
