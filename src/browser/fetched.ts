import { DataError } from '../common/errors.ts';

/**
 * The bytes at an address, or of a file.
 *
 * @throws DataError where the server does not give them
 */
export async function fetched(from: string | URL | Blob): Promise<Uint8Array<ArrayBuffer>> {
  if (from instanceof Blob) return new Uint8Array(await from.arrayBuffer());
  const response = await fetch(from);
  if (!response.ok) throw new DataError(String(from), `answered ${response.status} ${response.statusText}`);
  return new Uint8Array(await response.arrayBuffer());
}
