import { readFileSync, writeFileSync } from 'node:fs';

/**
 * onnxruntime-node is packed into la-ood (`bundleDependencies`) without its install script: that fetches CUDA's libraries from
 * outside npm, which nothing here needs, and where it cannot, npm takes everything back. The packages that only the
 * script uses are left out with it.
 */
const manifest = new URL('node_modules/onnxruntime-node/package.json', import.meta.url);
const { scripts: _, dependencies, ...rest } = JSON.parse(readFileSync(manifest, 'utf8'));
const { 'onnxruntime-common': common } = dependencies;
writeFileSync(
  manifest,
  `${JSON.stringify({ ...rest, dependencies: { 'onnxruntime-common': common } }, null, 2)}\n`,
);
