import { type IncomingMessage, get as insecure, type RequestOptions } from 'node:http';
import { get as secure } from 'node:https';
import { advice, DataError, option } from '../../src/common/errors.ts';

const MAX_REDIRECTS = 5;

/**
 * Asks for a document, and follows redirections. Its bytes come as they are sent: `fetch` would unpack files that a
 * server calls gzip-encoded, as some do with `.tar.gz`.
 *
 * @throws DataError where the address is none of HTTP, or redirects in a circle; what the network throws passes through
 */
export async function httpGet(
  url: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  let address = url;
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    const response = await request(address, {
      headers: { ...headers, 'Accept-Encoding': 'identity' },
      signal,
    });
    const { location } = response.headers;
    if (![301, 302, 303, 307, 308].includes(response.statusCode ?? 0) || location === undefined)
      return response;
    response.resume();
    address = new URL(location, address).href;
  }
  throw new DataError(url, `redirects more than ${MAX_REDIRECTS} times`, advice`give a ${option('mirror')}`);
}

function request(url: string, options: RequestOptions): Promise<IncomingMessage> {
  const protocol = URL.canParse(url) ? new URL(url).protocol : '';
  const get = { 'http:': insecure, 'https:': secure }[protocol];
  if (!get) throw new DataError(url, 'is no address of HTTP', 'begin it with https://');
  return new Promise((resolve, reject) => {
    get(url, options, resolve).on('error', reject);
  });
}
