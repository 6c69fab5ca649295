import { existsSync } from 'node:fs';

/** The folder of this package, with a slash at its end: the nearest one above, from source or built, with a package.json. */
export const packageRoot: URL = nearestPackage(new URL('.', import.meta.url));

function nearestPackage(folder: URL): URL {
  return existsSync(new URL('package.json', folder)) ? folder : nearestPackage(new URL('..', folder));
}
