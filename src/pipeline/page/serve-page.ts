import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { option, UsageError } from '../../common/errors.ts';
import { guardPage, PAGE_POLICY, type PageFile } from './guard-page.ts';

export interface ServePageOptions {
  /** The port, 0 for any that is free; where absent, a usual one or else any. */
  readonly port?: number;
}

/** A page that is being served. */
export interface ServedPage {
  readonly url: string;
  close(): Promise<void>;
}

/** Only this machine reaches it. */
const LOOPBACK = '127.0.0.1';

const USUAL_PORT = 7070;

/**
 * Serves the page that runs a guarded model in the browser, to this machine alone.
 *
 * Only the files of the page are served, from memory, by their exact paths. Another name of this machine in `Host` than
 * its own is refused: a website whose name is made to lead here (DNS rebinding) gets nothing.
 *
 * @param model a `guarded.onnx` of `guardRun`
 * @throws GraphError where the file is no guarded model; UsageError where the port is taken
 *
 * @example
 * ```ts
 * import { servePage } from 'la-ood/guard';
 *
 * const { url, close } = await servePage('guarded.onnx', { port: 7070 });
 * console.log(url);
 * await close();
 * ```
 */
export async function servePage(model: string, { port }: ServePageOptions = {}): Promise<ServedPage> {
  const files = new Map((await guardPage(model)).map((file) => [`/${file.path}`, file]));
  const server = createServer((request, response) => answer(request, response, files, server));
  if (!(await listens(server, port ?? USUAL_PORT)) && (port !== undefined || !(await listens(server, 0))))
    throw new UsageError(
      option('port', port),
      'is taken by another program',
      'leave it out: a free one is found',
    );
  return {
    url: `http://${LOOPBACK}:${portOf(server)}/`,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Whether the port could be had. */
async function listens(server: Server, port: number): Promise<boolean> {
  try {
    server.listen(port, LOOPBACK);
    await once(server, 'listening');
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE') return false;
    throw error;
  }
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

/** What every answer says. The page may have its own files only; memory is shared among threads of isolated pages only. */
const headers = {
  'Content-Security-Policy': `${PAGE_POLICY}; frame-ancestors 'none'`,
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  // The model may be another one next time.
  'Cache-Control': 'no-store',
};

function answer(
  { method, url = '', headers: { host = '' } }: IncomingMessage,
  response: ServerResponse,
  files: ReadonlyMap<string, PageFile>,
  server: Server,
): void {
  const refuse = (status: number, text: string, more = {}) =>
    response.writeHead(status, { ...headers, 'Content-Type': 'text/plain', ...more }).end(`${text}\n`);
  const names = [LOOPBACK, 'localhost'].map((name) => `${name}:${portOf(server)}`);
  if (!names.includes(host)) return void refuse(403, 'this server answers to its own address only');
  if (method !== 'GET' && method !== 'HEAD') return void refuse(405, 'GET or HEAD', { Allow: 'GET, HEAD' });
  const [path] = url.split('?');
  const file = files.get(path === '/' ? '/index.html' : path);
  if (!file) return void refuse(404, 'there is no such file');
  response.writeHead(200, { ...headers, 'Content-Type': file.type, 'Content-Length': file.bytes.length });
  response.end(method === 'HEAD' ? undefined : file.bytes);
}
